package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrPrivate is the error of a connection that guard refuses.
var ErrPrivate = errors.New("is not a public address")

// guard opens connections, and refuses those that would lead a request into the own
// network: whoever may write a host name, or answers for one in DNS, must not choose what
// in there is asked. It checks each address at the moment of the connection, so an answer
// of DNS that changes (rebinding) is of no use.
//
//   - A public name must stand for a public address.
//   - A name that can't be public (localhost, one without a dot, under .localhost, .local,
//     .internal, .home.arpa, .lan, .corp, .intranet, .private or .test), and a literal
//     address, are taken as meant.
//   - Link-local and multicast addresses, and those from which clouds serve metadata and
//     credentials, are refused however they are written.
//   - A proxy is taken as configured, and resolves the org's name itself.
//
// IPv4 addresses within IPv6 ones (mapped, 6to4, NAT64, Teredo) count as what they are.
type guard struct {
	all     bool     // nothing is refused
	private bool     // public names may stand for private addresses
	proxies []string // host:port

	resolver *net.Resolver // nil: the system's
}

// dial connects to a host and port.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second, Resolver: g.resolver}
	if slices.Contains(g.proxies, strings.ToLower(address)) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newProxyConn(conn), nil
	}
	if host, _, err := net.SplitHostPort(address); err == nil && !g.all {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return g.check(host, address) }
	}
	return dialer.DialContext(ctx, network, address)
}

// check refuses the address of a host.
func (g *guard) check(host, address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s %w", address, ErrPrivate)
	}
	switch where := reachOf(at.Addr()); {
	case where == public, where == private && (g.private || !publicName(host)):
		return nil
	case host == at.Addr().String():
		return fmt.Errorf("%s %w", host, ErrPrivate)
	}
	return fmt.Errorf("%s is %s, which %w", host, at.Addr(), ErrPrivate)
}

// ownDomains are the domains of names that public DNS does not have: RFC 6761, 6762 and
// 8375, ICANN's .internal, and those of RFC 6762 appendix G that are in use.
var ownDomains = []string{"localhost", "local", "internal", "home.arpa", "lan", "corp", "intranet", "private", "test"}

// publicName reports whether a host is a name that public DNS may have.
func publicName(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") {
		return false
	}
	return !slices.ContainsFunc(ownDomains, func(own string) bool { return strings.HasSuffix(host, "."+own) })
}

// reach is who can have an address.
type reach int

const (
	public  reach = iota
	private       // hosts of the own network, or of this machine
	nobody        // no org: link-local, multicast, metadata of clouds, unspecified
)

// reachOf returns the reach of an address.
func reachOf(ip netip.Addr) reach {
	ip = ip.Unmap().WithZone("")
	for _, p := range nobodys {
		if p.Contains(ip) {
			return nobody
		}
	}
	if in, ok := embedded(ip); ok {
		return reachOf(in)
	}
	for _, p := range privates {
		if p.Contains(ip) {
			return private
		}
	}
	return public
}

// embedded returns the IPv4 address that packets to an IPv6 address go to.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return netip.Addr{}, false
	}
	b := ip.As16()
	switch {
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case nat64.Contains(ip), compatible.Contains(ip) && ip != netip.IPv6Loopback():
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case teredo.Contains(ip):
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	}
	return netip.Addr{}, false
}

var (
	sixToFour  = netip.MustParsePrefix("2002::/16")    // RFC 3056
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	compatible = netip.MustParsePrefix("::/96")        // RFC 4291
	teredo     = netip.MustParsePrefix("2001::/32")    // RFC 4380
	privates   = prefixes(
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8",
		"100.64.0.0/10",                                                      // carrier-grade NAT
		"192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", // benchmarks, documentation
		"::1/128", "fc00::/7", "fec0::/10", "2001:db8::/32", "3fff::/20",
		"64:ff9b:1::/48", // NAT64 of the own network
	)
	nobodys = prefixes(
		"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"100.100.100.200/32", "168.63.129.16/32", // metadata of Alibaba Cloud and Azure; others' are link-local
		"::/128", "fe80::/10", "ff00::/8", "100::/64",
		"fd00:ec2::/32", "fd20:ce::254/128", // metadata of AWS and Google Cloud
	)
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// proxyConn is a connection to a proxy. It is closed if the proxy takes too long to connect
// to the org: net/http bounds CONNECT by a minute, and SOCKS not at all.
type proxyConn struct {
	net.Conn
	late *time.Timer
	out  atomic.Bool // the time is over
}

func newProxyConn(conn net.Conn) *proxyConn {
	c := &proxyConn{Conn: conn}
	c.late = time.AfterFunc(proxyTime, func() {
		c.out.Store(true)
		_ = conn.Close()
	})
	return c
}

// Write sends p. The first bytes that are none of a request for a connection are for the
// org, or the TLS handshake with the proxy itself: they end the wait.
func (c *proxyConn) Write(p []byte) (int, error) {
	if len(p) > 0 && p[0] != socksVersion && p[0] != socksLogin && !bytes.HasPrefix(p, []byte("CONNECT ")) {
		c.late.Stop()
	}
	return c.Conn.Write(p)
}

// First bytes of messages to a SOCKS proxy (RFC 1928 and 1929).
const (
	socksVersion = 5
	socksLogin   = 1
)

func (c *proxyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && c.out.Load() {
		err = errProxyLate
	}
	return n, err
}

func (c *proxyConn) Close() error {
	c.late.Stop()
	return c.Conn.Close()
}
