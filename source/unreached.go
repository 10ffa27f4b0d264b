package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
)

// Phase is what a request waits for.
type Phase int32

// Phases, in order. A request over a connection that is there begins with PhaseHeader.
const (
	PhaseStart     Phase = iota // a connection
	PhaseName                   // DNS
	PhaseConnect                // TCP
	PhaseProxy                  // the proxy's connection to the org
	PhaseHandshake              // TLS
	PhaseHeader                 // the header of the answer
	PhaseBody                   // its body
)

// String says what goes on, to follow "while".
func (p Phase) String() string {
	return [...]string{"waiting for a connection", "looking up its name", "connecting", "waiting for the proxy to connect", "in the TLS handshake",
		"waiting for the answer to begin", "reading the answer"}[p]
}

// Progress follows a request through its phases. The zero value is ready; it is safe for
// concurrent use.
type Progress struct{ phase atomic.Int32 }

// Phase returns the current phase.
func (p *Progress) Phase() Phase { return Phase(p.phase.Load()) }

// Trace returns the hooks that follow a request.
func (p *Progress) Trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:           func(string) { p.phase.Store(int32(PhaseStart)) }, // first, and again if the request is repeated
		DNSStart:          func(httptrace.DNSStartInfo) { p.reach(PhaseName) },
		ConnectStart:      func(string, string) { p.reach(PhaseConnect) },
		ConnectDone:       func(_, _ string, err error) { p.connected(err) },
		TLSHandshakeStart: func() { p.reach(PhaseHandshake) },
		GotConn:           func(httptrace.GotConnInfo) { p.reach(PhaseHeader) },

		GotFirstResponseByte: func() { p.reach(PhaseBody) },
	}
}

// connected: without a proxy, the handshake begins at once.
func (p *Progress) connected(err error) {
	if err == nil {
		p.reach(PhaseProxy)
	}
}

// reach never goes back: of two addresses, the slower one is connected to later, and a
// connection may have been made for another request.
func (p *Progress) reach(to Phase) {
	for {
		at := p.phase.Load()
		if at >= int32(to) || p.phase.CompareAndSwap(at, int32(to)) {
			return
		}
	}
}

// PhaseError is the error of a request that got no whole answer, with the phase it was in.
type PhaseError struct {
	Phase Phase
	Err   error
}

// Failed returns the error of a request that ended in a phase, without the URL that
// net/http adds; nil: nil.
func (p *Progress) Failed(err error) error {
	if err == nil {
		return nil
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return &PhaseError{p.Phase(), err}
}

func (e *PhaseError) Error() string {
	if !e.late() {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v, while %s", e.Err, e.Phase)
}

func (e *PhaseError) Unwrap() error { return e.Err }

// late reports whether the error is that of a deadline.
func (e *PhaseError) late() bool {
	timeout, ok := errors.AsType[net.Error](e.Err)
	return errors.Is(e.Err, ErrLate) || ok && timeout.Timeout()
}

// Remedies of ways that lead to no org.
const (
	remedyName      = "write the org's own host name, as in the browser but without -admin"
	remedyAuthority = "if a proxy or gateway presents certificates of its own, write its authority's certificate to a file and name that in settings.ca_file, or for all orgs in SIGNAL_CLIENT_CA_FILE"
	remedyPrivate   = "check the host name and this machine's DNS; if the org is meant to be reached at that address, set SIGNAL_CLIENT_ALLOW_PRIVATE=1"
	remedyProxy     = "check settings.proxy, or HTTPS_PROXY, and that the proxy runs"
	remedyLogin     = "write the user into settings.proxy and the password into credentials.proxy_password, or both into HTTPS_PROXY"
	remedyFirewall  = "let this machine connect to the org's port 443 in the firewall, or set a proxy: settings.proxy, or HTTPS_PROXY"
)

// Unreached returns what it means that a request got no answer, and the one thing to do;
// the zero Verdict: it is not known.
func Unreached(err error) Verdict {
	if refused, ok := errors.AsType[*ProxyError](err); ok {
		return refused.verdict()
	}
	if errors.Is(err, ErrPrivate) {
		return Verdict{Meaning: "the host name leads into a private network, so no request was sent", Remedy: remedyPrivate}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return Verdict{Meaning: "the proxy can't be reached: " + op.Err.Error(), Remedy: remedyProxy}
	} else if ok && strings.HasPrefix(op.Op, "socks") {
		return Verdict{Meaning: "the SOCKS proxy does not connect to the org", Remedy: "have the proxy admit the org's host; if it wants a user: " + remedyLogin}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return Verdict{Meaning: "there is no host " + dns.Name, Remedy: remedyName}
		}
		return Verdict{Meaning: "DNS does not answer for " + dns.Name, Remedy: "check this machine's DNS servers"}
	}
	if v := untrusted(err); v.Remedy != "" {
		return v
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && !op.Timeout() {
		return Verdict{Meaning: "nothing listens at the org's address", Remedy: remedyFirewall}
	}
	if phase, ok := errors.AsType[*PhaseError](err); ok && phase.late() {
		return phase.verdict()
	}
	return Verdict{}
}

func (e *ProxyError) verdict() Verdict {
	if e.Status == http.StatusProxyAuthRequired {
		return Verdict{Meaning: "the proxy " + e.Proxy + " refuses the user or the password, or wants them (407)", Remedy: remedyLogin}
	}
	return Verdict{Meaning: e.Error(), Remedy: "have the proxy " + e.Proxy + " admit " + e.Target}
}

// untrusted tells apart why TLS was not agreed on.
func untrusted(err error) Verdict {
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		return Verdict{Meaning: "the certificate is signed by an authority that is not trusted here", Remedy: remedyAuthority}
	}
	if _, other := errors.AsType[x509.HostnameError](err); other {
		return Verdict{Meaning: "the certificate is another host's", Remedy: remedyName}
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return Verdict{Meaning: "the certificate has expired, or is not valid yet", Remedy: "set this machine's clock; if it is right, have the certificate renewed"}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Verdict{Meaning: "the certificate can't be verified", Remedy: remedyAuthority}
	}
	if _, plain := errors.AsType[tls.RecordHeaderError](err); plain || errors.Is(err, http.ErrSchemeMismatch) {
		return Verdict{Meaning: "what answers there does not speak TLS", Remedy: "check the host's port, and the scheme of the proxy"}
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return Verdict{Meaning: "what answers there ends the TLS handshake: " + alert.Error(), Remedy: "check what answers there: it must speak TLS 1.2 or newer"}
	}
	return Verdict{}
}

// verdict is Unreached for what took too long.
func (e *PhaseError) verdict() Verdict {
	v := Verdict{Meaning: "it took too long, while " + e.Phase.String()}
	switch e.Phase {
	case PhaseName:
		v.Remedy = "check this machine's DNS servers"
	case PhaseConnect, PhaseStart:
		v.Remedy = remedyFirewall
	case PhaseProxy:
		v.Remedy = "check that the proxy reaches the org"
	case PhaseHandshake:
		v.Remedy = "check what is on the way: a firewall may hold TLS up"
	case PhaseHeader, PhaseBody:
		v = Verdict{} // the kind knows more of it
	}
	return v
}
