package okta_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/okta"
)

// A poll at the head of the log closes its connection if the interval is longer than idle
// connections are kept; otherwise the next poll uses it again.
func TestIdleConnections(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for interval, want := range map[time.Duration]int{0: 1, time.Minute: 1, 5 * time.Minute: 4} {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "[]") }))
			server.EnableHTTP2 = http2
			opened, closed := make(chan net.Conn, 9), make(chan net.Conn, 9)
			server.Config.ConnState = func(c net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew:
					opened <- c
				case http.StateClosed:
					closed <- c
				}
			}
			server.StartTLS()
			client := source.NewHTTPClient()
			client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
			c := &okta.Client{Instance: "prod", Origin: server.URL, Credential: pipeline.NewSecret("token"), HTTP: client, Interval: interval}
			for range 5 { // the first tells that it is the head
				if _, err := c.Poll(t.Context(), okta.Start("", 2, time.Now())); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(opened); n != want {
				t.Errorf("interval %v, HTTP/2 %v: %d connections for 5 polls, want %d", interval, http2, n, want)
			}
			if want > 1 {
				for range want {
					<-closed
				}
			}
			client.CloseIdleConnections()
			server.Close()
		}
	}
}
