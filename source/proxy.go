package source

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/http/httpproxy"
)

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
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	u, err := url.Parse(proxy)
	return err == nil && u.Host != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) &&
		!strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") // an @ there is the rest of a password
})
