package source

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestReachOfAddresses(t *testing.T) {
	for want, addresses := range map[reach][]string{
		public: {"8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"},
		private: {
			"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.255.0.1", "100.64.0.1", "100.127.255.255", "198.18.0.1", "192.0.2.1",
			"::1", "fc00::1", "fdff::1", "fec0::1", "2001:db8::1", "64:ff9b:1::1",
			"::ffff:10.0.0.1", "::ffff:127.0.0.1", "::192.168.1.1", "64:ff9b::10.0.0.1", "2002:a00:1::1", "2001:0:0:0:0:0:f5ff:fffe", // Teredo of 10.0.0.1
		},
		nobody: {
			"169.254.169.254", "169.254.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.0.192", "100.100.100.200", "168.63.129.16",
			"::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "fd20:ce::254",
			"::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1", "::169.254.169.254", "2001:0:0:0:0:0:5601:5601",
		},
	} {
		for _, address := range addresses {
			if got := reachOf(netip.MustParseAddr(address)); got != want {
				t.Errorf("%s: %d, want %d", address, got, want)
			}
		}
	}
}

func TestGuardRefuses(t *testing.T) {
	orgs, receivers, all := guard{}, guard{private: true}, guard{all: true}
	for _, c := range []struct {
		guard         guard
		host, address string
		refused       bool
	}{
		{orgs, "acme.okta.com", "8.8.8.8:443", false},
		{orgs, "acme.okta.com", "10.0.0.1:443", true},
		{orgs, "acme.okta.com", "127.0.0.1:443", true},
		{orgs, "acme.okta.com.", "[::ffff:127.0.0.1]:443", true},
		{orgs, "acme.okta.com", "169.254.169.254:80", true},
		{orgs, "127.0.0.1.nip.io", "127.0.0.1:443", true},
		{orgs, "localhost", "127.0.0.1:443", false},
		{orgs, "ACME.localhost", "[::1]:443", false},
		{orgs, "okta.corp.internal", "10.0.0.1:443", false},
		{orgs, "simulator", "172.18.0.2:443", false},
		{orgs, "metadata.google.internal", "169.254.169.254:80", true},
		{orgs, "10.0.0.1", "10.0.0.1:443", false},
		{orgs, "::1", "[::1]:443", false},
		{orgs, "169.254.169.254", "169.254.169.254:80", true},
		{orgs, "fe80::1%eth0", "[fe80::1%eth0]:443", true},
		{receivers, "mattermost.acme.com", "10.0.0.1:443", false},
		{receivers, "mattermost.acme.com", "169.254.169.254:443", true},
		{all, "acme.okta.com", "10.0.0.1:443", false},
	} {
		err := error(nil)
		if !c.guard.all { // dial does not ask
			err = c.guard.check(c.host, c.address)
		}
		if errors.Is(err, ErrPrivate) != c.refused || (err != nil) != c.refused {
			t.Errorf("%s at %s: %v, want refused: %v", c.host, c.address, err, c.refused)
		}
	}
}

// A proxy that accepts a connection and then says nothing does not hold it for ever; one
// whose TLS handshake with the org has begun is left alone.
func TestAProxyIsWaitedForSoLong(t *testing.T) {
	for _, begun := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			conn := newProxyConn(here)
			said := []string{"\x05\x01\x00", "\x01\x03svc\x02pw", "CONNECT acme.okta.com:443 HTTP/1.1\r\n\r\n"}
			if begun {
				said = append(said, "\x16\x03\x01")
			}
			for _, text := range said {
				go func() { _, _ = there.Read(make([]byte, 99)) }()
				if _, err := conn.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			end := time.AfterFunc(time.Minute, func() { _ = there.Close() })
			defer end.Stop()
			began := time.Now()
			_, err := conn.Read(make([]byte, 9))
			if took := time.Since(began); errors.Is(err, errProxyLate) == begun || (took == proxyTime) == begun {
				t.Errorf("handshake begun: %v: %v after %v", begun, err, took)
			}
			_, _ = conn.Close(), there.Close()
		})
	}
}
