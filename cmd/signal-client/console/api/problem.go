package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/search"
)

// Problem is a problem document (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Field  string `json:"field,omitempty"` // which member of the request, such as settings.fqdn
	Cause  string `json:"cause,omitempty"`
	Remedy string `json:"remedy,omitempty"`

	Errors   []view.FieldError `json:"errors,omitempty"`   // all fields that are wrong
	Changes  []buckets.Change  `json:"changes,omitempty"`  // made since the edited revision, oldest first
	Revision uint64            `json:"revision,omitempty"` // the newest
	Offset   *int              `json:"offset,omitempty"`   // where a query is wrong, in characters
}

// refuse answers with a problem document.
func refuse(w http.ResponseWriter, p Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(struct {
		Problem
		Detail string `json:"detail,omitempty"`
	}{p, p.Cause}) // the client is gone
}

// answer answers with a JSON document.
func answer(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(document) // the client is gone
}

// fail answers with the problem of an error.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		a.Log.Warn("console: request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if conflict, ok := errors.AsType[*view.Conflict](err); ok {
		w.Header().Set("ETag", etag(conflict.Revision))
	}
	refuse(w, p)
}

func problemOf(err error) Problem {
	if invalid, ok := errors.AsType[*view.Invalid](err); ok {
		first := invalid.Fields[0]
		return Problem{Status: http.StatusUnprocessableEntity, Title: "Not valid", Field: first.Field, Cause: first.Cause, Remedy: first.Remedy, Errors: invalid.Fields}
	}
	if conflict, ok := errors.AsType[*view.Conflict](err); ok {
		return Problem{Status: http.StatusPreconditionFailed, Title: "Changed meanwhile", Cause: err.Error(),
			Remedy: "Look at what changed, and save again.", Changes: conflict.Changes, Revision: conflict.Revision}
	}
	if asked, ok := errors.AsType[*badRequest](err); ok {
		return asked.Problem
	}
	if absent, ok := errors.AsType[*scan.AbsentError](err); ok {
		return Problem{Status: http.StatusNotFound, Title: "No such event", Field: "seq", Cause: absent.Error(),
			Remedy: "Search for it: the field seq of a row is its sequence."}
	}
	switch {
	case errors.Is(err, orgs.ErrNotFound):
		return Problem{Status: http.StatusNotFound, Title: "No such integration", Field: "instance", Cause: err.Error(), Remedy: "See GET " + root + "/integrations."}
	case errors.Is(err, view.ErrExists):
		return Problem{Status: http.StatusConflict, Title: "Exists already", Field: "instance", Cause: err.Error(), Remedy: "Choose another name, or change the existing one."}
	case errors.Is(err, view.ErrStatic):
		return Problem{Status: http.StatusConflict, Title: "Configured elsewhere", Field: "instance", Cause: err.Error(), Remedy: "Change the service's OKTA_ variables and restart it."}
	case errors.Is(err, search.ErrUnavailable):
		return Problem{Status: http.StatusServiceUnavailable, Title: "Search is not available", Cause: err.Error(), Remedy: "Wait until the index has started, or see SIGNAL_CLIENT_SEARCH."}
	case errors.Is(err, nats.ErrPermissionViolation):
		return Problem{Status: http.StatusForbidden, Title: "NATS refuses it", Cause: err.Error(), Remedy: problem.Hint(err)}
	}
	p := problem.Of(err)
	status := http.StatusBadGateway
	if p.Code == problem.BadUsage {
		status = http.StatusUnprocessableEntity
	}
	if p.Code == problem.Unreachable {
		status = http.StatusServiceUnavailable
	}
	return Problem{Status: status, Title: "Not done", Cause: err.Error(), Remedy: p.Hint}
}

// badRequest is the error of a request that can't be read.
type badRequest struct{ Problem }

func (e *badRequest) Error() string { return e.Cause }

func bad(status int, field, cause, remedy string) error {
	return &badRequest{Problem{Status: status, Title: http.StatusText(status), Field: field, Cause: cause, Remedy: remedy}}
}
