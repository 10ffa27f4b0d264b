package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
)

const integrationsTestLong = `Ask an org for its newest event, once, with the credential that is stored, and say
whether that works. It is asked from this machine: a token's file is read here.
It takes one request of the org's budget, and stores and changes nothing. With --json
the verdict is "not tried" where something is wrong before the org could be asked.

Exit codes: 0 it works; 4 the token is refused (401), or its owner may not read the
log (403); 5 the org can't be reached; 2 the configuration is wrong; 1 anything else,
such as a wrong host.

Examples:
  signal-client integrations test acme
  signal-client integrations test acme --json | jq -r .verdict`

// tryTime bounds the one request.
const tryTime = 20 * time.Second

// tryReach is how far back the newest event may lie.
const tryReach = 24 * time.Hour

// trial is what became of one request.
type trial struct {
	Instance  string              `json:"instance"`
	Origin    string              `json:"origin"`
	Verdict   string              `json:"verdict"`
	Status    int                 `json:"status,omitempty"` // of HTTP; absent: no answer
	Seconds   float64             `json:"seconds"`
	Newest    *newestEvent        `json:"newest_event,omitempty"` // of the last 24 hours
	RateLimit *pipeline.RateLimit `json:"rate_limit,omitempty"`
	Error     string              `json:"error,omitempty"`

	Hint string `json:"-"` // what to try
	Code int    `json:"-"` // the exit code
}

type newestEvent struct {
	UUID      string    `json:"uuid"`
	Type      string    `json:"type"`
	Published time.Time `json:"published"`
}

// The verdicts.
const (
	verdictWorks       = "works"
	verdictRefused     = "credential refused"
	verdictForbidden   = "forbidden"
	verdictWrongHost   = "wrong host"
	verdictUnreachable = "unreachable"
	verdictThrottled   = "rate limit used up"
	verdictConfig      = "request refused"
	verdictFailed      = "failed"
	verdictUntried     = "not tried" // nobody was asked
)

func (r *roster) newTest() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "test <name>",
		Short:             "Ask an org once, with the stored credential",
		Long:              integrationsTestLong,
		Args:              named(1),
		ValidArgsFunction: completeInstances(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, token, err := r.tested(cmd, args[0])
			if err != nil {
				if asJSON {
					untried := trial{Instance: args[0], Verdict: verdictUntried, Error: printable(err.Error())}
					_ = writeJSON(r.Out(), untried) // err says more than that nobody reads this
				}
				return err
			}
			t := try(cmd.Context(), i, token, nil)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if asJSON {
				if err := writeJSON(r.Out(), t); err != nil {
					return err
				}
			} else if t.Code == exitOK {
				return printTrial(r.Out(), t)
			}
			return t.problem()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return r.flags(cmd)
}

// tested reads what is to be tried. NATS is left before the org is asked.
func (r *roster) tested(cmd *cobra.Command, instance string) (pipeline.Integration, pipeline.Secret, error) {
	w, err := r.one(cmd, instance)
	if err != nil {
		return pipeline.Integration{}, pipeline.Secret{}, err
	}
	i, err := parsed(w)
	if err != nil {
		return i, pipeline.Secret{}, err
	}
	token, err := secretOf(cmd.Context(), i)
	return i, token, err
}

// try asks once, in a bounded request that brings the newest event first: Okta
// takes that order with an until only. client may be nil.
func try(ctx context.Context, i pipeline.Integration, token pipeline.Secret, client *http.Client) trial {
	t := trial{Instance: i.Instance, Origin: i.Origin}
	source := &okta.Client{
		Instance: i.Instance, Origin: i.Origin, Token: token, LinkHosts: i.LinkHosts, HTTP: client,
		Limit: 1, Share: 1, Timeout: tryTime, UserAgent: "signal-client/" + thisBuild().Version,
		Trace: &pipeline.Trace{Budget: func(_ string, limit pipeline.RateLimit) { t.RateLimit = &limit }},
	}
	began := time.Now()
	link := string(okta.Start(i.Filter, 1, began.Add(-tryReach)))
	link = strings.Replace(link, "sortOrder=ASCENDING", "sortOrder=DESCENDING", 1)
	newest := pipeline.Link(link + "&until=" + url.QueryEscape(began.UTC().Format(time.RFC3339)))
	page, err := source.Poll(ctx, newest)
	t.Seconds = time.Since(began).Seconds()
	t.judge(i, err)
	if err == nil {
		t.Status = http.StatusOK
		for _, e := range page.Events[:min(1, len(page.Events))] {
			t.Newest = &newestEvent{UUID: e.UUID, Type: e.Type, Published: e.Published}
		}
	}
	return t
}

// judge says what the outcome means.
func (t *trial) judge(i pipeline.Integration, err error) {
	if err == nil {
		t.Verdict = verdictWorks
		return
	}
	t.Error = printable(innermost(err))
	t.Verdict, t.Code, t.Hint = verdictFailed, exitFailed, "try again; if it stays, look at what answers there: it may be no Okta, or a proxy on the way"
	if answer, ok := errors.AsType[*okta.Error](err); ok {
		t.Status = answer.Status
		if answer.ID+answer.RequestID != "" {
			t.Hint = "try again; if it stays, ask Okta's support with the ids above"
		}
		t.judgeAnswer(i)
		if t.Code == exitCredential && answer.Foreign() {
			t.Hint = forbiddenOnTheWay
		}
		return
	}
	t.judgeNetwork(i, err)
}

func (t *trial) judgeAnswer(i pipeline.Integration) {
	switch {
	case t.Status == http.StatusUnauthorized:
		t.Verdict, t.Code = verdictRefused, exitCredential
		t.Hint = "make a new token in Okta (Security > API > Tokens), then: signal-client integrations set " + i.Instance + " --token-from <file>"
	case t.Status == http.StatusForbidden:
		t.Verdict, t.Code = verdictForbidden, exitCredential
		t.Hint = "give the admin who owns the token a role that may read the System Log, such as Read-only Administrator"
	case t.Status == http.StatusTooManyRequests:
		t.Verdict, t.Hint = verdictThrottled, "wait a minute: the org's clients have used up its limit, all together"
	case t.Status == http.StatusNotFound, t.Status >= 300 && t.Status < 400:
		t.Verdict, t.Hint = verdictWrongHost, rightHost(i)
	case t.Status >= 400 && t.Status < 500:
		t.Verdict, t.Hint = verdictConfig, "correct the field that is named: signal-client integrations show "+i.Instance
	}
}

func rightHost(i pipeline.Integration) string {
	return "write the org's own host name, as in the browser but without -admin: signal-client integrations set " + i.Instance + " fqdn=acme.okta.com"
}

func (t *trial) judgeNetwork(i pipeline.Integration, err error) {
	dns, named := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, network := errors.AsType[net.Error](err)
	switch {
	case named && dns.IsNotFound:
		t.Verdict, t.Code, t.Hint = verdictUnreachable, exitUnreachable, rightHost(i)
		t.Error = "there is no host " + dns.Name
	case untrusted:
		t.Verdict, t.Code, t.Hint = verdictUnreachable, exitUnreachable, "check the host name, and whether a proxy on the way puts in its own certificate"
	case network, errors.Is(err, okta.ErrLate):
		t.Verdict, t.Code, t.Hint = verdictUnreachable, exitUnreachable, "check the address, and the way there (firewall, proxy, DNS)"
	case errors.Is(err, okta.ErrLinkHost):
		t.Hint = "if that host is one of the org's: signal-client integrations set " + i.Instance + " link_hosts=<host>"
	case errors.Is(err, okta.ErrNoPage):
		t.Verdict, t.Hint = verdictWrongHost, rightHost(i)
	}
}

// printTrial prints the verdict of what works.
func printTrial(to screen, t trial) error {
	took := time.Duration(t.Seconds * float64(time.Second))
	fmt.Fprintf(to, "%s %s: %s answered in %s.\n", to.Paint(green, "works"), t.Instance, t.Origin, span(took))
	switch {
	case t.Newest == nil:
		fmt.Fprintln(to, "newest event: none within 24 hours, by this integration's filter")
	default:
		at := t.Newest.Published.UTC().Format(time.RFC3339)
		if to.Terminal {
			at = relative(t.Newest.Published, time.Now())
		}
		fmt.Fprintf(to, "newest event: %s, %s\n", at, printable(t.Newest.Type))
	}
	if t.RateLimit != nil {
		fmt.Fprintf(to, "rate limit: %d of %d requests a minute left\n", t.RateLimit.Remaining, t.RateLimit.Limit)
	}
	return nil
}

// problem is the verdict of what doesn't; nil when it does.
func (t trial) problem() error {
	if t.Code == exitOK {
		return nil
	}
	op := fmt.Sprintf("%s: %s (%s)", t.Instance, t.Verdict, t.Origin)
	return &problem{Op: op, Err: errors.New(t.Error), Hint: t.Hint, Code: t.Code}
}
