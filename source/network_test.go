package source

import (
	"bufio"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/witfoo/signal-client/pipeline"
)

// names is a DNS server whose answers change. A name that it does not know does not exist.
type names struct {
	mu    sync.Mutex
	known map[string][]string
}

func (n *names) Set(name string, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[name+"."] = addresses
}

// serveNames returns a resolver that asks it.
func serveNames(t *testing.T) (*names, *net.Resolver) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{known: map[string][]string{}}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	wg.Go(func() {
		for buffer := make([]byte, 4096); ; {
			size, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := n.answer(buffer[:size]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	})
	return n, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *names) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	n.mu.Lock()
	addresses, known := n.known[q.Name.String()]
	n.mu.Unlock()
	m = dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	if !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, address := range addresses {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
			})
		}
	}
	packed, _ := m.Pack()
	return packed
}

// newOrg serves TLS for any name, and returns a file of its authority.
func newOrg(t *testing.T) (org *httptest.Server, port, authority string) {
	t.Helper()
	org = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	org.Config.ErrorLog = log.New(io.Discard, "", 0)
	org.StartTLS()
	t.Cleanup(org.Close)
	_, port, _ = net.SplitHostPort(org.Listener.Addr().String())
	authority = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: org.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return org, port, authority
}

// newProxy serves CONNECT to whoever has a login, and says what it was asked for.
func newProxy(t *testing.T, login string, status int, dial string) (host string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
		switch {
		case r.Header.Get("Authorization") != "":
			t.Error("the proxy sees the credential")
		case user+":"+password != login:
			w.Header().Set("Proxy-Authenticate", `Basic realm="`+password+`"`)
			w.WriteHeader(http.StatusProxyAuthRequired)
		case status != 0:
			w.WriteHeader(status)
		default:
			here, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
			splice(here, dial)
		}
	}))
	t.Cleanup(proxy.Close)
	return strings.TrimPrefix(proxy.URL, "http://"), asked
}

// splice connects a client to an address until either side ends.
func splice(here net.Conn, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		_ = here.Close()
		return
	}
	go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
	go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
}

// newSOCKS serves SOCKS 5 without a login: each connection leads to one address.
func newSOCKS(t *testing.T, dial string) (host string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			_, _ = in.Discard(3) // version, and one way to log in: none
			_, _ = conn.Write([]byte{5, 0})
			head := make([]byte, 5)
			_, _ = io.ReadFull(in, head)
			_, _ = in.Discard(int(head[4]) + 2) // name and port
			if dial == "" {
				_, _ = conn.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0}) // not allowed
				_ = conn.Close()
				continue
			}
			_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
			splice(conn, dial)
		}
	}()
	return ln.Addr().String()
}

// get sends a request as clients of orgs do.
func get(t *testing.T, n *Network, i pipeline.Integration, url string, timeout time.Duration) error {
	t.Helper()
	client, err := n.Client(t.Context(), i)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	var progress Progress
	ctx, cancel := context.WithTimeoutCause(httptrace.WithClientTrace(t.Context(), progress.Trace()), timeout, ErrLate)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	req.Header.Set("Authorization", "SSWS token")
	resp, err := client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return progress.Failed(err)
}

// Each way that does not lead to the org is told apart, with one remedy; a password is in
// none of the texts.
func TestUnreached(t *testing.T) {
	known, resolver := serveNames(t)
	org, port, authority := newOrg(t)
	at := org.Listener.Addr().String()
	open, _ := newProxy(t, ":", 0, at)
	locked, _ := newProxy(t, "svc:s3cret", 0, at)
	strict, _ := newProxy(t, ":", http.StatusForbidden, "")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	_, silentPort, _ := net.SplitHostPort(silent.Addr().String())
	_, plainPort, _ := net.SplitHostPort(plain.Listener.Addr().String())
	known.Set("acme.example.com", "127.0.0.1")
	known.Set("other.example.test", "127.0.0.1")
	known.Set("two.example.com", "127.0.0.2", "127.0.0.1") // nothing listens at the first

	const long, short = time.Minute, 200 * time.Millisecond
	for _, c := range []struct {
		name    string
		network *Network
		i       pipeline.Integration
		url     string
		timeout time.Duration
		remedy  string // empty: it answers
	}{
		{"private", &Network{}, pipeline.Integration{CAFile: authority}, "https://acme.example.com:" + port, long, "SIGNAL_CLIENT_ALLOW_PRIVATE=1"},
		{"allowed", &Network{AllowPrivate: true}, pipeline.Integration{CAFile: authority}, "https://acme.example.com:" + port, long, ""},
		{"authority of all", &Network{AllowPrivate: true, CAFile: authority}, pipeline.Integration{}, "https://acme.example.com:" + port, long, ""},
		{"one of two addresses", &Network{AllowPrivate: true}, pipeline.Integration{CAFile: authority}, "https://two.example.com:" + port, long, ""},
		{"unknown authority", &Network{}, pipeline.Integration{}, "https://" + at, long, "settings.ca_file"},
		{"other certificate", &Network{}, pipeline.Integration{CAFile: authority}, "https://other.example.test:" + port, long, "own host name"},
		{"no TLS", &Network{}, pipeline.Integration{}, "https://127.0.0.1:" + plainPort, long, "the host's port"},
		{"unknown name", &Network{}, pipeline.Integration{}, "https://nobody.example.com", long, "own host name"},
		{"nothing listens", &Network{}, pipeline.Integration{}, "https://127.0.0.2:" + port, long, "firewall"},
		{"silent in TLS", &Network{}, pipeline.Integration{}, "https://127.0.0.1:" + silentPort, short, "may hold TLS up"},

		{"proxy", &Network{}, pipeline.Integration{CAFile: authority, Proxy: "http://" + open}, "https://acme.example.com:443", long, ""},
		{"socks", &Network{}, pipeline.Integration{CAFile: authority, Proxy: "socks5://" + newSOCKS(t, at)}, "https://acme.example.com:443", long, ""},
		{"login", &Network{}, pipeline.Integration{CAFile: authority, Proxy: "http://svc@" + locked, ProxyPassword: pipeline.NewSecret("s3cret")}, "https://acme.example.com:443", long, ""},
		{"wrong login", &Network{}, pipeline.Integration{Proxy: "http://svc@" + locked, ProxyPassword: pipeline.NewSecret("s3cret2")}, "https://acme.example.com:443", long, "credentials.proxy_password"},
		{"strict proxy", &Network{}, pipeline.Integration{Proxy: "http://" + strict}, "https://acme.example.com:443", long, "admit acme.example.com:443"},
		{"strict socks", &Network{}, pipeline.Integration{Proxy: "socks5://" + newSOCKS(t, "")}, "https://acme.example.com:443", long, "have the proxy admit"},
		{"no proxy there", &Network{}, pipeline.Integration{Proxy: "http://127.0.0.2:" + port}, "https://acme.example.com:443", long, "that the proxy runs"},
		{"no proxy of the name", &Network{}, pipeline.Integration{Proxy: "http://proxy.example.com:3128"}, "https://acme.example.com:443", long, "that the proxy runs"},
		{"silent proxy", &Network{}, pipeline.Integration{Proxy: "http://" + silent.Addr().String()}, "https://acme.example.com:443", short, "the proxy reaches the org"},
		{"authority behind a proxy", &Network{}, pipeline.Integration{Proxy: "http://" + open}, "https://acme.example.com:443", long, "settings.ca_file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := &Network{CAFile: c.network.CAFile, AllowPrivate: c.network.AllowPrivate, resolver: resolver}
			err := get(t, n, c.i, c.url, c.timeout)
			if c.remedy == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			v := Unreached(err)
			if err == nil || v.Meaning == "" || !strings.Contains(v.Remedy, c.remedy) {
				t.Errorf("%v: %+v, want %q", err, v, c.remedy)
			}
			if text := fmt.Sprint(err, v); strings.Contains(text, "s3cret") || strings.Contains(text, "svc") {
				t.Errorf("shows the login: %s", text)
			}
		})
	}
}

// A name that has moved is followed by the next connection, and a name that now stands for a
// private address is refused then.
func TestNamesMove(t *testing.T) {
	known, resolver := serveNames(t)
	_, port, authority := newOrg(t)
	n := &Network{resolver: resolver}
	known.Set("acme.example.test", "127.0.0.2") // nothing listens there
	ask := func(name string) error {
		return get(t, n, pipeline.Integration{CAFile: authority}, "https://"+name+":"+port, time.Minute)
	}
	if err := ask("acme.example.test"); err == nil {
		t.Fatal("an answer from nowhere")
	}
	known.Set("acme.example.test", "127.0.0.1")
	if v := Unreached(ask("acme.example.test")); !strings.Contains(v.Meaning, "another host's") { // its certificate is not of .test
		t.Errorf("the name is not looked up again: %+v", v)
	}
	known.Set("acme.example.com", "127.0.0.1")
	if err := ask("acme.example.com"); !strings.Contains(fmt.Sprint(err), "acme.example.com is 127.0.0.1") {
		t.Errorf("a public name leads to this machine: %v", err)
	}
}

// Orgs with the same proxy and the same authorities share a client; a changed file, though
// its name is the same, gives another.
func TestOrgsShareClients(t *testing.T) {
	_, _, authority := newOrg(t)
	copied := filepath.Join(t.TempDir(), "copy.pem")
	pem, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(path string, by []byte) {
		t.Helper()
		if err := os.WriteFile(path, by, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace(copied, pem)
	var n Network
	client := func(i pipeline.Integration) *http.Client {
		t.Helper()
		c, err := n.Client(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for number := range 1000 {
		i := pipeline.Integration{Instance: fmt.Sprint(number)}
		if number%2 == 0 {
			i.CAFile = []string{authority, copied}[number/2%2]
		}
		if number%3 == 0 {
			i.Proxy, i.ProxyPassword = "http://svc@proxy:3128", pipeline.NewSecret("s3cret")
		}
		client(i)
	}
	if len(n.clients) != 4 {
		t.Errorf("1,000 orgs have %d clients, want 4", len(n.clients))
	}
	before := client(pipeline.Integration{CAFile: copied})
	replace(copied, slices.Concat(pem, pem))
	if client(pipeline.Integration{CAFile: copied}) == before {
		t.Error("a changed file gives the client before")
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), "network_test.go"} {
		if _, err := n.Client(t.Context(), pipeline.Integration{CAFile: path}); !strings.HasPrefix(fmt.Sprint(err), pipeline.ErrConfig.Error()+": settings.ca_file: ") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestParseProxy(t *testing.T) {
	for given, want := range map[string]string{
		"proxy.acme.com:3128": "http://proxy.acme.com:3128", " HTTP://Proxy:80/ ": "http://proxy:80", "socks5://svc@[::1]:1080": "socks5://svc@[::1]:1080", "https://p": "https://p",
		"svc:pw@proxy:3128": "!holds a password", "http://svc:@proxy": "!holds a password", "ftp://proxy": "!has the scheme", "": "!is no URL", "http://": "!is no URL",
		"http://svc:1/s3cret@proxy:3128": "!is no URL", "http://proxy/path": "!has more", "http://proxy?x": "!has more",
	} {
		proxy, _, err := ParseProxy(given)
		if text, wrong := strings.CutPrefix(want, "!"); wrong && !strings.HasPrefix(fmt.Sprint(err), text) || !wrong && (err != nil || proxy != want) {
			t.Errorf("%q: %q, %v, want %s", given, proxy, err, want)
		}
		if strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%q: %v", given, err)
		}
	}
}
