package okta

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
)

func explain(err error) source.Verdict {
	answer, answered := errors.AsType[*Error](err)
	if !answered {
		return source.Verdict{Meaning: meaningOf(err, &Error{})}
	}
	return source.Verdict{
		Meaning: meaningOf(err, answer), Answer: answer.Error(), Status: answer.Status,
		Foreign: answer.Foreign(), Traced: cmp.Or(answer.ID, answer.RequestID) != "",
	}
}

// meaningOf takes an answer of status 0 for none.
func meaningOf(err error, answer *Error) string {
	answered := answer.Status != 0
	switch {
	case errors.Is(err, pipeline.ErrCredential) && answered && answer.Foreign():
		return "something on the way to Okta forbids the request, such as a gateway, a proxy or a network zone: let it admit this machine's address; the token may be fine"
	case errors.Is(err, pipeline.ErrCredential) && answer.Status == http.StatusForbidden:
		return "the token's owner may not read the System Log: give that admin a role that can, such as Read-only Administrator"
	case errors.Is(err, pipeline.ErrCredential):
		return "Okta refuses the API token: make a new one under Security > API > Tokens"
	case errors.Is(err, pipeline.ErrThrottled):
		return "Okta's rate limit is used up by all clients of the org together: polling continues when it is renewed"
	case errors.Is(err, pipeline.ErrCursor):
		return "Okta refuses the cursor: a new query starts early enough to miss nothing"
	case errors.Is(err, pipeline.ErrLink):
		return "Okta refuses a link that it made itself: if it still does in a minute, a new query starts early enough to miss nothing; to start it at once: signal-client cursor reopen"
	case errors.Is(err, pipeline.ErrConfig) && answer.Status == http.StatusNotFound:
		return "there is no System Log at this address: check settings.fqdn"
	case errors.Is(err, pipeline.ErrConfig) && answered:
		return "Okta refuses the request as it is configured: correct what it names, such as settings.filter; to start a new query: signal-client cursor reopen"
	case tooHeavy(err):
		return "the page takes too long: smaller ones are requested automatically; a lower settings.limit makes them smaller for good"
	case answer.Status >= 500:
		return "Okta has a failure; the request is repeated"
	}
	return ""
}
