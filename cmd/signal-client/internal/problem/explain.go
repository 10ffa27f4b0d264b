package problem

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta"
)

// Explain describes a failure for STATUS: its meaning for an operator and what to do,
// then the answer.
func Explain(err error) string {
	if err == nil {
		return ""
	}
	var early *pipeline.NotBefore
	for errors.As(err, &early) {
		err = early.Err // the time of the next try is shown beside it
	}
	meaning := meaningOf(err)
	if meaning == "" {
		return term.Printable(err.Error())
	}
	return term.Printable(meaning + " (" + Innermost(err) + ")")
}

func meaningOf(err error) string {
	answer, answered := errors.AsType[*okta.Error](err)
	switch {
	case errors.Is(err, pipeline.ErrCredential) && answered && answer.Foreign():
		return ForbiddenOnTheWay
	case errors.Is(err, pipeline.ErrCredential) && answered && answer.Status == http.StatusForbidden:
		return "the token's owner may not read the System Log: give that admin a role that can, such as Read-only Administrator"
	case errors.Is(err, pipeline.ErrCredential):
		return "Okta refuses the API token: make a new one under Security > API > Tokens"
	case errors.Is(err, pipeline.ErrThrottled):
		return "Okta's rate limit is used up by all clients of the org together: polling continues when it is renewed"
	case errors.Is(err, pipeline.ErrCursor):
		return "Okta refuses the cursor: a new query starts early enough to miss nothing"
	case errors.Is(err, pipeline.ErrLink):
		return "Okta refuses a link that it made itself: if it still does in a minute, a new query starts early enough to miss nothing; to start it at once: signal-client cursor reopen"
	case errors.Is(err, pipeline.ErrConfig) && answered && answer.Status == http.StatusNotFound:
		return "there is no System Log at this address: check settings.fqdn"
	case errors.Is(err, pipeline.ErrConfig) && answered:
		return "Okta refuses the request as it is configured: correct what it names, such as settings.filter; to start a new query: signal-client cursor reopen"
	case okta.TooHeavy(err):
		return "the page takes too long: smaller ones are requested automatically; a lower settings.limit makes them smaller for good"
	case answered && answer.Status >= 500:
		return "Okta has a failure; the request is repeated"
	case errors.Is(err, jets.ErrDisconnected), errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrConnectionReconnecting):
		return "NATS is away; nothing is lost"
	}
	return meaningOfNetwork(err)
}

// ForbiddenOnTheWay is the meaning of a refusal that is not Okta's own.
const ForbiddenOnTheWay = "something on the way to Okta forbids the request, such as a gateway, a proxy or a network zone: let it admit this machine's address; the token may be fine"

func meaningOfNetwork(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return fmt.Sprintf("there is no host %s: check settings.fqdn", dns.Name)
		}
		return "the host name can't be looked up: check this machine's DNS"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "nothing listens at the org's address"
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, pipeline.ErrConfig) {
		return "the token's file can't be read"
	}
	return ""
}

// Innermost returns the answer, without the acts that led to it.
func Innermost(err error) string {
	if answer, ok := errors.AsType[*okta.Error](err); ok {
		return answer.Error()
	}
	text := err.Error()
	for _, kind := range []error{pipeline.ErrConfig, pipeline.ErrCredential} {
		text = strings.TrimPrefix(text, kind.Error()+": ")
		text = strings.TrimSuffix(text, ": "+kind.Error())
	}
	return text
}
