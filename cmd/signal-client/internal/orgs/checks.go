package orgs

import (
	"context"
	"crypto/tls"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
)

// CheckTime bounds the checks of an org.
const CheckTime = 2800 * time.Millisecond

// Results of a Check.
const (
	CheckOK      = "ok"
	CheckWarning = "warning"
	CheckWrong   = "wrong"
)

// Names of the checks, in order.
const (
	checkName   = "name resolves"
	checkTLS    = "TLS"
	checkToken  = "token accepted"
	checkLog    = "may read the log"
	checkNewest = "newest event"
	checkLimit  = "rate limit"
)

// Check is one step of the test of an org.
type Check struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warning or wrong
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// Checks tests an integration with one request for its newest event, and yields each step
// as it is known: the name resolves, TLS, the token is accepted, it may read the log, the
// newest event and its age, the rate limit. Steps after one that is wrong are left out. It
// takes at most CheckTime. client may be nil.
func Checks(ctx context.Context, i pipeline.Integration, token pipeline.Credential, client *http.Client) iter.Seq[Check] {
	return func(yield func(Check) bool) {
		ctx, cancel := context.WithTimeout(ctx, CheckTime)
		defer cancel()
		c := &checking{integration: i, lines: make(chan Check, 16)}
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { defer close(c.lines); c.run(ctx, token, client) })
		for line := range c.lines {
			if !yield(line) {
				cancel()
				return
			}
		}
	}
}

// checking is a test of an org that is under way. Its lines have room for all steps.
type checking struct {
	integration pipeline.Integration
	lines       chan Check

	mu    sync.Mutex
	named bool // the name was looked up
	tls   bool // TLS was said
	over  bool // something was wrong, or the answer is there
}

func (c *checking) run(ctx context.Context, token pipeline.Credential, client *http.Client) {
	client, done := unshared(client)
	defer done()
	result := Probe(httptrace.WithClientTrace(ctx, c.trace()), c.integration, token, client)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	c.judge(ctx, result)
}

// unshared returns a client that opens connections of its own, so that every step happens.
func unshared(client *http.Client) (own *http.Client, done func()) {
	if client == nil {
		client = source.NewHTTPClient()
	}
	shared, ok := client.Transport.(*http.Transport)
	if !ok {
		return client, func() {}
	}
	transport := shared.Clone()
	copied := *client
	copied.Transport = transport
	return &copied, transport.CloseIdleConnections
}

func (c *checking) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			if info.Err == nil && len(info.Addrs) > 0 {
				c.name(info.Addrs[0].String())
			}
		},
		ConnectStart: func(_, addr string) { c.name(hostOf(addr)) },
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			if err == nil {
				c.secured(state)
			}
		},
		GotConn: func(info httptrace.GotConnInfo) {
			c.name(hostOf(info.Conn.RemoteAddr().String()))
			if _, secure := info.Conn.(*tls.Conn); !secure && strings.HasPrefix(c.integration.Origin, "http:") {
				c.say(&c.tls, Check{Check: checkTLS, Result: CheckOK, Detail: "plain http, which stays on this machine"})
			}
		},
	}
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

func (c *checking) name(address string) {
	c.say(&c.named, Check{Check: checkName, Result: CheckOK, Detail: address})
}

func (c *checking) secured(state tls.ConnectionState) {
	line := Check{Check: checkTLS, Result: CheckOK, Detail: tls.VersionName(state.Version)}
	if len(state.PeerCertificates) > 0 {
		cert := state.PeerCertificates[0]
		line.Detail += ", certificate valid until " + cert.NotAfter.UTC().Format(time.DateOnly)
		if time.Until(cert.NotAfter) < 7*24*time.Hour {
			line.Result, line.Remedy = CheckWarning, "have the org's certificate renewed"
		}
	}
	c.say(&c.tls, line)
}

// say sends a step once.
func (c *checking) say(said *bool, line Check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !*said && !c.over {
		*said = true
		c.lines <- line
	}
}

// judge says what the answer means.
func (c *checking) judge(ctx context.Context, r ProbeResult) {
	say := func(check, result, detail, remedy string) {
		c.lines <- Check{Check: check, Result: result, Detail: detail, Remedy: remedy}
	}
	answered := r.Status != 0
	if answered && !c.named { // through a proxy, or by an own client
		say(checkName, CheckOK, "it answers", "")
	}
	if answered && !c.tls {
		say(checkTLS, CheckOK, "it answers", "")
	}
	switch remedy := remedyOfProbe(ctx, r); {
	case !answered && !c.named:
		say(checkName, CheckWrong, r.Error, remedy)
	case !answered && !c.tls:
		say(checkTLS, CheckWrong, r.Error, remedy)
	case r.Verdict == VerdictWorks:
		say(checkToken, CheckOK, "", "")
		say(checkLog, CheckOK, "", "")
		c.newest(r, say)
	case r.Verdict == verdictForbidden:
		say(checkToken, CheckOK, "", "")
		say(checkLog, CheckWrong, r.Error, remedy)
	case r.Verdict == VerdictThrottled:
		say(checkToken, CheckOK, "", "")
		say(checkLimit, CheckWarning, r.Error, remedy)
	case r.Verdict == verdictRefused:
		say(checkToken, CheckWrong, r.Error, remedy)
	default:
		say(checkLog, CheckWrong, r.Error, remedy)
	}
}

func (c *checking) newest(r ProbeResult, say func(check, result, detail, remedy string)) {
	if e := r.Newest; e != nil {
		say(checkNewest, CheckOK, fmt.Sprintf("%s, %s", term.Printable(e.Type), term.Relative(e.Published, time.Now())), "")
	} else {
		say(checkNewest, CheckWarning, "none within the last 24 hours", "this is fine for a quiet org; else check the filter")
	}
	if l := r.RateLimit; l != nil {
		say(checkLimit, CheckOK, fmt.Sprintf("%d of %d requests a minute left; at most %d are used", l.Remaining, l.Limit, max(1, int(float64(l.Limit)*c.integration.RateShare))), "")
	} else {
		say(checkLimit, CheckWarning, "the answer states none", "check for a proxy that removes headers")
	}
}

// remedyOfProbe returns the one thing to do, where no command line is at hand.
func remedyOfProbe(ctx context.Context, r ProbeResult) string {
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("the org did not answer within %s: try again, and check the network (firewall, proxy)", CheckTime.Round(time.Second))
	case r.Verdict == verdictRefused:
		return "create a new token in Okta (Security > API > Tokens) and enter it here"
	case r.Verdict == verdictWrongHost:
		return "write the org's own host name, as in the browser but without -admin"
	case r.Verdict == verdictConfig:
		return "correct the filter or the page size"
	case r.Verdict == verdictUnreachable && strings.HasPrefix(r.Error, "there is no host"):
		return "check the host name: write the org's own, as in the browser but without -admin"
	}
	if hint, _, command := strings.Cut(r.Hint, ": signal-client "); !command {
		return hint
	}
	return "check the settings"
}
