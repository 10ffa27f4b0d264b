package access

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func newRequest(t *testing.T, path string) *http.Request {
	return httptest.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:8000"+path, nil)
}

func tcpAddr(at netip.AddrPort) net.Addr { return net.TCPAddrFromAddrPort(at) }
