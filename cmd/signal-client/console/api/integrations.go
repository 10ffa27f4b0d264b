package api

import (
	"net/http"
	"net/url"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
)

func (a *api) listIntegrations(w http.ResponseWriter, r *http.Request) {
	all, err := a.View.Documents(r.Context())
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, all)
}

func (a *api) getIntegration(w http.ResponseWriter, r *http.Request) {
	d, err := a.View.Document(r.Context(), r.PathValue("instance"))
	a.document(w, r, http.StatusOK, d, err)
}

// document answers with an integration, and its revision as tag.
func (a *api) document(w http.ResponseWriter, r *http.Request, status int, d view.Document, err error) {
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if d.Revision != 0 {
		w.Header().Set("ETag", etag(d.Revision))
	}
	answer(w, status, d)
}

func (a *api) createIntegration(w http.ResponseWriter, r *http.Request) {
	v, instance, err := value(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	d, err := a.View.Create(r.Context(), access.From(r.Context()), instance, v)
	if err == nil {
		w.Header().Set("Location", root+"/integrations/"+url.PathEscape(d.Instance))
	}
	a.document(w, r, http.StatusCreated, d, err)
}

func (a *api) replaceIntegration(w http.ResponseWriter, r *http.Request) { a.edit(w, r, true) }

func (a *api) patchIntegration(w http.ResponseWriter, r *http.Request) { a.edit(w, r, false) }

func (a *api) edit(w http.ResponseWriter, r *http.Request, whole bool) {
	instance := r.PathValue("instance")
	v, named, err := value(w, r)
	if err == nil && named != "" && named != instance {
		err = bad(http.StatusUnprocessableEntity, "instance", "an integration can't be renamed: its events are stored under this name", "leave it out, or add another integration")
	}
	edit := view.Edit{Value: v, Whole: whole}
	if err == nil {
		edit.Revision, err = revision(r)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	d, err := a.View.Update(r.Context(), access.From(r.Context()), instance, edit)
	a.document(w, r, http.StatusOK, d, err)
}

func (a *api) deleteIntegration(w http.ResponseWriter, r *http.Request) {
	edited, err := revision(r)
	if err == nil {
		err = a.View.Delete(r.Context(), access.From(r.Context()), r.PathValue("instance"), edited)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *api) changes(w http.ResponseWriter, r *http.Request) {
	changes, err := a.View.Log(r.Context(), r.PathValue("instance"))
	if err == nil && len(changes) == 0 { // those of a removed one are kept
		_, err = a.View.Document(r.Context(), r.PathValue("instance"))
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, changes)
}

func (a *api) history(w http.ResponseWriter, r *http.Request) {
	instance := r.PathValue("instance")
	_, err := a.View.Document(r.Context(), instance)
	var strip view.Strip
	if err == nil {
		strip, err = a.View.History(r.Context(), instance)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, strip)
}

// importIntegrations reads CSV or a JSON list, as signal-client integrations import does.
// With ?preview=true nothing is written.
func (a *api) importIntegrations(w http.ResponseWriter, r *http.Request) {
	data, err := body(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	candidates, err := orgs.ParseCandidates("the body", data)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	q := r.URL.Query()
	rows, err := a.View.Import(r.Context(), access.From(r.Context()), candidates, view.ImportOptions{Preview: q.Get("preview") == "true", Replace: q.Get("replace") == "true"})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"rows": rows})
}
