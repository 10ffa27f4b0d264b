package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Network makes the HTTP clients that ask orgs. The zero value trusts the system's
// authorities and refuses private addresses; see guard. It is safe for concurrent use.
type Network struct {
	CAFile       string // PEM file of further authorities to trust, for all orgs; empty: none
	AllowPrivate bool   // a public name may stand for any address

	resolver *net.Resolver // nil: the system's

	mu      sync.Mutex
	clients map[route]*http.Client
}

// route is how an org is reached. Orgs of equal routes share a client and its connections,
// so their number does not grow with that of the orgs.
type route struct {
	proxy       string          // URL, without a password; empty: that of the environment
	password    pipeline.Secret // of the proxy's user
	authorities string          // PEM; empty: the system's alone
	receiver    bool            // see Receivers
}

// Client returns the client for an instance's org: with its proxy and its authorities, or
// those of the process. Another client than before means that one of the files has
// changed. If a file can't be used, the error matches pipeline.ErrConfig, or is ctx's cause.
func (n *Network) Client(ctx context.Context, i pipeline.Integration) (*http.Client, error) {
	r := route{proxy: i.Proxy, password: i.ProxyPassword}
	for _, file := range []struct{ setting, path string }{{"SIGNAL_CLIENT_CA_FILE", n.CAFile}, {"settings.ca_file", i.CAFile}} {
		if file.path == "" {
			continue
		}
		pem, err := readAuthorities(ctx, file.path)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", pipeline.ErrConfig, file.setting, err)
		}
		r.authorities += pem + "\n"
	}
	return n.client(r), nil
}

// Receivers returns a client for hosts that are no orgs, such as receivers of
// notifications. They may have private addresses, but not those that guard always refuses.
func (n *Network) Receivers() *http.Client { return n.client(route{receiver: true}) }

// CheckAuthorities returns what is wrong with a file of authorities; nil: nothing.
func CheckAuthorities(ctx context.Context, path string) error {
	_, err := readAuthorities(ctx, path)
	return err
}

// mostAuthorities is larger than the bundles of operating systems.
const mostAuthorities = 4 << 20

func readAuthorities(ctx context.Context, path string) (string, error) {
	data, err := pipeline.ReadFile(ctx, path, mostAuthorities)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(data) {
		err = fmt.Errorf("%s holds no certificate (write a file in PEM, which begins with -----BEGIN CERTIFICATE-----)", path)
	}
	return string(data), err
}

func (n *Network) client(r route) *http.Client {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.clients[r] == nil {
		if n.clients == nil {
			n.clients = map[route]*http.Client{}
		}
		n.clients[r] = &http.Client{CheckRedirect: NoRedirect, Transport: n.transport(r)}
	}
	return n.clients[r]
}

// IdleConnTime is how long an idle connection is kept.
const IdleConnTime = 90 * time.Second

// How long the steps towards a connection may take. The rest, from the request to the end
// of the answer, is bounded by the Client's Timeout, which is of the whole.
const (
	dialTime      = 10 * time.Second // with the lookup of the name, all addresses together
	proxyTime     = 15 * time.Second // from the connection to a proxy until it has one to the org
	handshakeTime = 10 * time.Second
)

// transport returns a transport without redirects and cookies, with TLS 1.2 or newer. A
// silent HTTP/2 connection, which a NAT may have forgotten, is pinged and closed.
func (n *Network) transport(r route) *http.Transport {
	proxy, hosts := r.proxies()
	return &http.Transport{
		Proxy:                  proxy,
		OnProxyConnectResponse: admitted,
		DialContext:            (&guard{all: n.AllowPrivate, private: r.receiver, proxies: hosts, resolver: n.resolver}).dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.roots()},
		TLSHandshakeTimeout:    handshakeTime,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // package page inflates, within bounds
		MaxIdleConns:           1000,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        IdleConnTime,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:  15 * time.Second,
			PingTimeout:      10 * time.Second,
			WriteByteTimeout: 20 * time.Second,
		},
	}
}

// roots returns the trusted authorities; nil: the system's.
func (r route) roots() *x509.CertPool {
	if r.authorities == "" {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // there are none, as in an empty container
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM([]byte(r.authorities))
	return pool
}

// proxies returns the choice of a proxy for a request, and the proxies' hosts with ports.
func (r route) proxies() (func(*http.Request) (*url.URL, error), []string) {
	if r.proxy == "" {
		return Proxy, environmentProxies()
	}
	u, err := url.Parse(r.proxy)
	if err != nil {
		err = errors.New("settings.proxy is no URL") // ParseProxy has refused it
		return func(*http.Request) (*url.URL, error) { return nil, err }, nil
	}
	if !r.password.IsZero() {
		u.User = url.UserPassword(u.User.Username(), r.password.Reveal())
	}
	return func(req *http.Request) (*url.URL, error) {
		if req.URL.Scheme != "https" { // it would read the credential
			return nil, nil
		}
		return u, nil
	}, []string{proxyHost(u)}
}

// NewHTTPClient returns a client of a Network of its own, for any org.
func NewHTTPClient() *http.Client { return new(Network).client(route{}) }

// NoRedirect follows no redirect: the credential must not be sent to its target.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
