package problem

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source"
)

// Explain describes a failure for STATUS: its meaning, what to do, and the answer.
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
	if v := source.Explain(err); v.Meaning != "" {
		return v.Meaning
	}
	for _, away := range []error{jets.ErrDisconnected, nats.ErrConnectionClosed, nats.ErrNoResponders, jetstream.ErrNoStreamResponse, nats.ErrConnectionReconnecting} {
		if errors.Is(err, away) {
			return "NATS is away; nothing is lost"
		}
	}
	return meaningOfNetwork(err)
}

func meaningOfNetwork(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return fmt.Sprintf("there is no host %s", dns.Name)
		}
		return "the host name can't be looked up: check this machine's DNS"
	}
	if errors.Is(err, connectionRefused) {
		return "nothing listens at the org's address"
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, pipeline.ErrConfig) {
		return "a file of the integration can't be read"
	}
	return ""
}

// Innermost returns the answer, without the acts that led to it.
func Innermost(err error) string {
	if v := source.Explain(err); v.Answer != "" {
		return v.Answer
	}
	text := err.Error()
	for _, kind := range []error{pipeline.ErrConfig, pipeline.ErrCredential} {
		text = strings.TrimPrefix(text, kind.Error()+": ")
		text = strings.TrimSuffix(text, ": "+kind.Error())
	}
	return text
}
