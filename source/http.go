package source

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// NewHTTPClient returns an http.Client for Clients: timeouts on every phase, no redirects, no
// cookies, TLS 1.2 or newer, and the environment's proxy. A silent HTTP/2 connection, which a
// NAT may have forgotten, is pinged and closed. Many Clients may share it.
func NewHTTPClient() *http.Client {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		CheckRedirect: NoRedirect,
		Transport: &http.Transport{
			Proxy:                  Proxy,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
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
		},
	}
}

// IdleConnTime is how long an idle connection is kept.
const IdleConnTime = 90 * time.Second

// NoRedirect follows no redirect: the credential must not be sent to its target.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
