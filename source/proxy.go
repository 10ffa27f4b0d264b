package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/http/httpproxy"
)

// proxySchemes are those that net/http knows, each with its port.
var proxySchemes = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// ParseProxy reads the URL of a proxy as people write it, such as proxy.acme.com:3128 or
// socks5://proxy:1080, with a user or without. It returns it with its scheme. An error says
// what is wrong and what to write, without the text itself, which may hold a password.
func ParseProxy(s string) (proxy, user string, err error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Hostname() == "", strings.Contains(u.Path+u.RawQuery+u.Fragment, "@"):
		return "", "", errors.New("is no URL of a proxy (write one such as http://proxy.acme.com:3128)")
	case proxySchemes[u.Scheme] == "":
		return "", "", fmt.Errorf("has the scheme %.20q (write http, https or socks5)", u.Scheme)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", "", errors.New("has more than a host and a port (write one such as http://proxy.acme.com:3128)")
	}
	if _, set := u.User.Password(); set {
		return "", "", errors.New("holds a password (write it as credentials.proxy_password, which is never shown)")
	}
	return (&url.URL{Scheme: u.Scheme, User: u.User, Host: strings.ToLower(u.Host)}).String(), u.User.Username(), nil
}

// proxyHost returns the host and port that a proxy is connected to at.
func proxyHost(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = proxySchemes[u.Scheme]
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}

// errProxy names the variable but not its value, which may contain a proxy's password.
var errProxy = errors.New("HTTPS_PROXY can't be read as a proxy's URL: write the characters / ? # % @ of its password percent-encoded (%2F %3F %23 %25 %40); without a user it is http://<host>:<port>")

// Proxy returns the proxy for a request by HTTPS_PROXY and NO_PROXY; nil: none. It
// refuses an HTTPS_PROXY that net/http would silently ignore. (Loopback hosts, the only
// ones asked by plain http, have no proxy.)
func Proxy(req *http.Request) (*url.URL, error) {
	if req.URL.Scheme == "https" && !mayBeProxy() {
		return nil, errProxy
	}
	return http.ProxyFromEnvironment(req)
}

// mayBeProxy reports whether HTTPS_PROXY is usable; it is read once, as in net/http.
var mayBeProxy = sync.OnceValue(func() bool {
	proxy := httpproxy.FromEnvironment().HTTPSProxy
	if proxy == "" {
		return true
	}
	u, err := parseVariable(proxy)
	return err == nil && u.Host != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) &&
		!strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") // an @ there is the rest of a password
})

// parseVariable reads a proxy as net/http does.
func parseVariable(proxy string) (*url.URL, error) {
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	return url.Parse(proxy)
}

// environmentProxies returns the hosts and ports of the environment's proxies; they are
// read once, as in net/http.
var environmentProxies = sync.OnceValue(func() []string {
	c := httpproxy.FromEnvironment()
	var hosts []string
	for _, proxy := range []string{c.HTTPSProxy, c.HTTPProxy} {
		if u, err := parseVariable(proxy); err == nil && u.Host != "" {
			hosts = append(hosts, proxyHost(u))
		}
	}
	return hosts
})

// ProxyError is a proxy's refusal to connect to an org.
type ProxyError struct {
	Proxy  string // host and port
	Target string // host and port
	Status int
}

func (e *ProxyError) Error() string {
	return fmt.Sprintf("the proxy %s refuses to connect to %s: status %d %s", e.Proxy, e.Target, e.Status, http.StatusText(e.Status))
}

// admitted returns the refusal of a proxy. The text of its status line is not shown: a
// proxy may repeat the password in it.
func admitted(_ context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{proxyHost(proxy), req.Host, resp.StatusCode}
}

// errProxyLate is the error of a proxy that does not connect in time.
var errProxyLate = fmt.Errorf("the proxy has no connection within %s", proxyTime)
