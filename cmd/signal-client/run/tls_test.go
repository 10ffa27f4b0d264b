package run

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
)

// writeCertificate writes a certificate with a serial number, and its key.
func writeCertificate(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: bytes}, cert: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A changed certificate is used without a restart, and a broken one is not.
func TestCertificateChanges(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	c, err := openCertificate(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listenHTTP("SIGNAL_CLIENT_HTTP_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- serveHTTP(ctx, site{Listener: ln, certificate: c, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })}, slog.New(slog.DiscardHandler))
	}()
	serial := func() int64 {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
		defer client.CloseIdleConnections()
		resp, err := client.Get("https://" + ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "HTTP/2.0" {
			t.Errorf("%q, %v", body, err)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("at first: %d", got)
	}
	if err := os.WriteFile(cert, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 1 {
		t.Errorf("with a broken file: %d", got)
	}
	writeCertificate(t, cert, key, 2)
	if got := serial(); got != 2 {
		t.Errorf("with a new one: %d", got)
	}
	if _, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := openCertificate(cert, cert, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a key that is none is taken")
	}
}

// Health and metrics can have an address of their own, and then are not at the console's.
func TestSites(t *testing.T) {
	s := &Service{Log: slog.New(slog.DiscardHandler), metrics: telemetry.NewMetrics(), Config: config.Config{Process: config.Process{HTTPAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0"}}}
	s.Console = consoleStub{}
	all, err := s.sites()
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	s.Console = nil
	alone, err := s.sites()
	if err != nil || len(alone) != 1 {
		t.Fatalf("without a console: %v, %v", alone, err)
	}
	for _, at := range append(all, alone...) {
		_ = at.Close()
	}
}

// consoleStub refuses to serve the process's own pages.
type consoleStub struct{ Console }

func (consoleStub) Handler(own http.Handler, _ func() []string) http.Handler {
	if own != nil {
		panic("health and metrics are at the console's address")
	}
	return http.NotFoundHandler()
}
