package orgs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
)

// tryTime bounds the one request.
const tryTime = 20 * time.Second

// tryReach is how old the newest event may be.
const tryReach = 24 * time.Hour

// ProbeResult is the result of one request.
type ProbeResult struct {
	Instance  string              `json:"instance"`
	Origin    string              `json:"origin"`
	Verdict   string              `json:"verdict"`
	Status    int                 `json:"status,omitempty"` // HTTP status; absent: no answer
	Seconds   float64             `json:"seconds"`
	Newest    *NewestEvent        `json:"newest_event,omitempty"` // of the last 24 hours
	RateLimit *pipeline.RateLimit `json:"rate_limit,omitempty"`
	Error     string              `json:"error,omitempty"`

	Hint string `json:"-"` // what to try
	Code int    `json:"-"` // the exit code
}

// NewestEvent is the newest event of an org.
type NewestEvent struct {
	UUID      string    `json:"uuid"`
	Type      string    `json:"type"`
	Published time.Time `json:"published"`
}

// Verdicts.
const (
	VerdictWorks       = "works"
	verdictRefused     = "credential refused"
	verdictForbidden   = "forbidden"
	verdictWrongHost   = "wrong host"
	verdictUnreachable = "unreachable"
	VerdictThrottled   = "rate limit used up"
	verdictConfig      = "request refused"
	verdictFailed      = "failed"
	VerdictUntried     = "not tried" // no request was sent
)

// Probe tries an integration by one request for its newest event. client may be nil.
func Probe(ctx context.Context, i pipeline.Integration, token pipeline.Credential, client *http.Client) ProbeResult {
	t := ProbeResult{Instance: i.Instance, Origin: i.Origin}
	began := time.Now()
	newest, err := kinds.Of(i).Probe(ctx, i, token, began.Add(-tryReach), began, source.Options{
		HTTP: client, Share: 1, Timeout: tryTime, UserAgent: "signal-client/" + build.Read().Version,
		Trace: &pipeline.Trace{Budget: func(_ string, limit pipeline.RateLimit) { t.RateLimit = &limit }},
	})
	t.Seconds = time.Since(began).Seconds()
	t.judge(i, err)
	if err == nil {
		t.Status = http.StatusOK
	}
	if newest != nil {
		t.Newest = &NewestEvent{UUID: newest.UUID, Type: newest.Type, Published: newest.Published}
	}
	return t
}

// judge sets the verdict for the outcome.
func (t *ProbeResult) judge(i pipeline.Integration, err error) {
	if err == nil {
		t.Verdict = VerdictWorks
		return
	}
	t.Error = term.Printable(problem.Innermost(err))
	t.Verdict, t.Code, t.Hint = verdictFailed, problem.Failed, "try again; if it fails again, check what answers there: it may not be Okta, or a proxy is in between"
	if v := kinds.Of(i).Explain(err); v.Status != 0 {
		t.Status = v.Status
		if v.Traced {
			t.Hint = "try again; if it fails again, ask Okta's support with the ids above"
		}
		t.judgeAnswer(i)
		if t.Code == problem.BadCredential && v.Foreign {
			t.Hint = v.Meaning
		}
		return
	}
	t.judgeNetwork(i, err)
}

func (t *ProbeResult) judgeAnswer(i pipeline.Integration) {
	switch {
	case t.Status == http.StatusUnauthorized:
		t.Verdict, t.Code = verdictRefused, problem.BadCredential
		t.Hint = "create a new token in Okta (Security > API > Tokens), then: signal-client integrations set " + i.Instance + " --token-from <file>"
	case t.Status == http.StatusForbidden:
		t.Verdict, t.Code = verdictForbidden, problem.BadCredential
		t.Hint = "give the admin who owns the token a role that may read the System Log, such as Read-only Administrator"
	case t.Status == http.StatusTooManyRequests:
		t.Verdict, t.Hint = VerdictThrottled, "wait a minute: together the org's clients have used up its limit"
	case t.Status == http.StatusNotFound, t.Status >= 300 && t.Status < 400:
		t.Verdict, t.Hint = verdictWrongHost, rightHost(i)
	case t.Status >= 400 && t.Status < 500:
		t.Verdict, t.Hint = verdictConfig, "correct the named field: signal-client integrations show "+i.Instance
	}
}

func rightHost(i pipeline.Integration) string {
	return "write the org's own host name, as in the browser but without -admin: signal-client integrations set " + i.Instance + " fqdn=acme.okta.com"
}

func (t *ProbeResult) judgeNetwork(i pipeline.Integration, err error) {
	dns, named := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, network := errors.AsType[net.Error](err)
	switch {
	case named && dns.IsNotFound:
		t.Verdict, t.Code, t.Hint = verdictUnreachable, problem.Unreachable, rightHost(i)
		t.Error = "there is no host " + dns.Name
	case untrusted:
		t.Verdict, t.Code, t.Hint = verdictUnreachable, problem.Unreachable, "check the host name, and whether a proxy presents its own certificate"
	case network, errors.Is(err, source.ErrLate):
		t.Verdict, t.Code, t.Hint = verdictUnreachable, problem.Unreachable, "check the address and the network (firewall, proxy, DNS)"
	case errors.Is(err, source.ErrLinkHost):
		t.Hint = "if that host is one of the org's: signal-client integrations set " + i.Instance + " link_hosts=<host>"
	case errors.Is(err, source.ErrNoPage):
		t.Verdict, t.Hint = verdictWrongHost, rightHost(i)
	}
}

// Problem returns the verdict of a failed try; nil: it succeeded.
func (t ProbeResult) Problem() error {
	if t.Code == problem.OK {
		return nil
	}
	op := fmt.Sprintf("%s: %s (%s)", t.Instance, t.Verdict, t.Origin)
	return &problem.Error{Op: op, Err: errors.New(t.Error), Hint: t.Hint, Code: t.Code}
}
