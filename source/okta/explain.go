package okta

import (
	"cmp"
	"errors"
	"net"
	"net/http"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
)

// What to do, as commands say it.
const (
	remedyToken = "create a new token in Okta (Security > API > Tokens), then: signal-client integrations set <name> --token-from <file>"
	remedyRole  = "give the admin who owns the token a role that may read the System Log, such as Read-only Administrator"
	remedyHost  = "write the org's own host name, as in the browser but without -admin: signal-client integrations set <name> fqdn=acme.okta.com"
	remedyLimit = "wait a minute: together the org's clients have used up its limit"
	remedyField = "correct the named field: signal-client integrations show <name>"
	remedyIDs   = "try again; if it fails again, ask Okta's support with the ids above"
	remedyWay   = "try again; if it fails again, check what answers there: it may not be Okta, or a proxy is in between"
)

// explain is the kind's Explain.
func explain(err error) source.Verdict {
	answer, answered := errors.AsType[*Error](err)
	if v := source.Unreached(err); !answered && v.Remedy != "" {
		if dns, named := errors.AsType[*net.DNSError](err); named && dns.IsNotFound {
			v.Meaning, v.Remedy = v.Meaning+": check settings.fqdn", remedyHost
		}
		return v
	}
	if !answered {
		return source.Verdict{Meaning: meaningOf(err, &Error{}), Remedy: remedyUnanswered(err)}
	}
	v := source.Verdict{Meaning: meaningOf(err, answer), Answer: answer.Error(), Status: answer.Status}
	v.Remedy = remedyOf(answer)
	if app := appRefusal(answer); app.remedy != "" && errors.Is(err, pipeline.ErrCredential) {
		v.Meaning, v.Remedy = app.meaning, app.remedy
		return v
	}
	if errors.Is(err, pipeline.ErrCredential) && answer.Foreign() {
		v.Remedy = v.Meaning
	}
	return v
}

// remedyOf returns what to do about an answer.
func remedyOf(answer *Error) string {
	switch {
	case answer.Status == http.StatusUnauthorized:
		return remedyToken
	case answer.Status == http.StatusForbidden:
		return remedyRole
	case answer.Status == http.StatusTooManyRequests:
		return remedyLimit
	case answer.Status == http.StatusNotFound, answer.Status >= 300 && answer.Status < 400:
		return remedyHost
	case answer.Status >= 400 && answer.Status < 500:
		return remedyField
	case cmp.Or(answer.ID, answer.RequestID) != "":
		return remedyIDs
	}
	return remedyWay
}

// remedyUnanswered returns what to do if there was no answer, or one of status 200.
func remedyUnanswered(err error) string {
	switch {
	case errors.Is(err, source.ErrNoPage):
		return remedyHost
	case errors.Is(err, source.ErrLinkHost):
		return "if that host is one of the org's: signal-client integrations set <name> link_hosts=<host>"
	}
	return remedyWay
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
	case tooHeavy(err) && !errors.Is(err, errToken):
		return "the page takes too long: smaller ones are requested automatically; a lower settings.limit makes them smaller for good"
	case answer.Status >= 500:
		return "Okta has a failure; the request is repeated"
	}
	return ""
}
