package orgs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
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
	kind := kinds.All.Of(i)
	newest, err := kind.Probe(ctx, i, token, began.Add(-tryReach), began, source.Options{
		HTTP: client, Share: 1, Timeout: tryTime, UserAgent: build.Read().UserAgent(),
		Trace: &pipeline.Trace{Budget: func(_ string, limit pipeline.RateLimit) { t.RateLimit = &limit }},
	})
	t.Seconds = time.Since(began).Seconds()
	t.judge(kind.Mark(err))
	if err == nil {
		t.Status = http.StatusOK
	}
	if newest != nil {
		t.Newest = &NewestEvent{UUID: newest.UUID, Type: newest.Type, Published: newest.Published}
	}
	return t
}

// judge sets the verdict for the outcome.
func (t *ProbeResult) judge(err error) {
	if err == nil {
		t.Verdict = VerdictWorks
		return
	}
	t.Error = term.Printable(problem.Innermost(err))
	t.Verdict, t.Code = verdictFailed, problem.Failed
	v := source.Explain(err)
	if t.Status = v.Status; t.Status != 0 {
		t.judgeAnswer(err)
	} else {
		t.judgeNetwork(err, v.Remedy)
	}
	hint := cmp.Or(t.Hint, v.Remedy, "try again; if it fails again, check what answers there")
	t.Hint = strings.ReplaceAll(hint, "<name>", t.Instance)
}

func (t *ProbeResult) judgeAnswer(err error) {
	refused := errors.Is(err, pipeline.ErrCredential) && t.Status != http.StatusForbidden
	switch {
	case refused:
		t.Verdict, t.Code = verdictRefused, problem.BadCredential
	case t.Status == http.StatusForbidden:
		t.Verdict, t.Code = verdictForbidden, problem.BadCredential
	case t.Status == http.StatusTooManyRequests:
		t.Verdict = VerdictThrottled
	case t.Status == http.StatusNotFound, t.Status >= 300 && t.Status < 400:
		t.Verdict = verdictWrongHost
	case t.Status >= 400 && t.Status < 500:
		t.Verdict = verdictConfig
	}
}

// judgeNetwork judges what is no answer; the kind's remedy is known.
func (t *ProbeResult) judgeNetwork(err error, remedy string) {
	dns, named := errors.AsType[*net.DNSError](err)
	_, network := errors.AsType[net.Error](err)
	switch {
	case source.Unreached(err).Remedy != "":
		t.Verdict, t.Code, t.Hint = verdictUnreachable, problem.Unreachable, remedy
		if named && dns.IsNotFound {
			t.Error = "there is no host " + dns.Name
		}
	case network, errors.Is(err, source.ErrLate):
		t.Verdict, t.Code, t.Hint = verdictUnreachable, problem.Unreachable, "check the address and the network (firewall, proxy, DNS)"
	case errors.Is(err, source.ErrNoPage):
		t.Verdict = verdictWrongHost
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
