package api

import (
	"encoding/json"
	"net/http"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

// testIntegration tests the values of a form, or a stored integration, and writes a line
// for each step as soon as it is known.
func (a *api) testIntegration(w http.ResponseWriter, r *http.Request) {
	v, instance, err := value(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	i, err := a.View.Candidate(r.Context(), instance, v)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	lines := flushing(w)
	e := json.NewEncoder(lines)
	e.SetEscapeHTML(false)
	token, err := orgs.Credential(r.Context(), i)
	if err != nil {
		_ = e.Encode(orgs.Check{Check: "token readable", Result: orgs.CheckWrong, Detail: err.Error(),
			Remedy: "let this process read the file, or enter the token itself"})
		return
	}
	client, err := a.Network.Client(r.Context(), i)
	if err != nil {
		_ = e.Encode(orgs.Check{Check: "authorities readable", Result: orgs.CheckWrong, Detail: problem.Innermost(err),
			Remedy: "write the path of a file of certificates in PEM that the machines which poll can read"})
		return
	}
	for line := range orgs.Checks(r.Context(), i, token, client) {
		if e.Encode(line) != nil {
			return // the client is gone
		}
	}
}
