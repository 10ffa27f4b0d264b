package page

import (
	"net/http"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
)

var internal = access.Refusal{
	Status: http.StatusInternalServerError, Title: "Something went wrong here",
	Cause:  "This page can't be shown because of a fault of signal-client itself. Polling is not affected.",
	Remedy: "The log of this process says what happened.",
}

// Error answers with an error page.
func (r *Renderer) Error(w http.ResponseWriter, req *http.Request, why access.Refusal) {
	r.Render(w, req, why.Status, "error", why)
}

// NotFound answers 404.
func (r *Renderer) NotFound(w http.ResponseWriter, req *http.Request) {
	r.Error(w, req, access.Refusal{Status: http.StatusNotFound, Title: "There is no such page", Cause: "Nothing is served at " + req.URL.Path + "."})
}

// Unavailable answers 503, for what needs NATS while it is away.
func (r *Renderer) Unavailable(w http.ResponseWriter, req *http.Request, cause string) {
	w.Header().Set("Retry-After", "5")
	r.Error(w, req, access.Refusal{
		Status: http.StatusServiceUnavailable, Title: "NATS is not connected", Cause: cause,
		Remedy: "This process goes on trying to connect. If it lasts, run signal-client doctor.",
	})
}

// Internal answers 500. It says no more than that: log the cause.
func (r *Renderer) Internal(w http.ResponseWriter, req *http.Request) { r.Error(w, req, internal) }
