package api

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// Bounds of saved searches.
const (
	mostSearches = 500
	mostName     = 200
	mostQuery    = 16 << 10
	mostColumns  = 100
)

func (a *api) listSearches(w http.ResponseWriter, r *http.Request) {
	all, err := a.searches.All(r.Context())
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, all)
}

func (a *api) createSearch(w http.ResponseWriter, r *http.Request) {
	s, err := a.newSearch(w, r)
	if err == nil {
		err = a.searches.Create(r.Context(), s)
	}
	if errors.Is(err, pipeline.ErrChanged) {
		err = bad(http.StatusConflict, "id", "a search of that id exists", "leave the id out, or delete the other first")
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Location", root+"/searches/"+s.ID)
	answer(w, http.StatusCreated, s)
}

var searchID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// newSearch reads a search, and completes and checks it.
func (a *api) newSearch(w http.ResponseWriter, r *http.Request) (s buckets.Search, err error) {
	data, err := jsonBody(w, r)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, bad(http.StatusUnprocessableEntity, wrongType(err), err.Error(), `send an object such as {"name": "Failed sign-ins", "query": "outcome.result:FAILURE"}`)
	}
	s.Name = strings.TrimSpace(s.Name)
	s.Author, s.CreatedAt = access.From(r.Context()).Name, time.Now().UTC()
	if s.ID == "" {
		s.ID = strings.ToLower(rand.Text()[:10])
	}
	long := func(texts []string, most int) bool {
		for _, text := range texts {
			if utf8.RuneCountInString(text) > most {
				return true
			}
		}
		return false
	}
	wrong := func(field, cause, remedy string) (buckets.Search, error) {
		return s, bad(http.StatusUnprocessableEntity, field, cause, remedy)
	}
	switch {
	case !searchID.MatchString(s.ID):
		return wrong("id", "it is no slug", "leave it out, or write small letters, digits and hyphens")
	case s.Name == "" || long([]string{s.Name}, mostName):
		return wrong("name", "it is missing or too long", fmt.Sprintf("write 1 to %d characters", mostName))
	case len(s.Query) > mostQuery:
		return wrong("query", "it is too long", fmt.Sprintf("write at most %d bytes", mostQuery))
	case len(s.Columns) > mostColumns || long(s.Columns, mostName) || long([]string{s.Range, s.By}, mostName):
		return wrong("columns", "there are too many columns, or one is too long", fmt.Sprintf("name at most %d", mostColumns))
	}
	all, err := a.searches.All(r.Context())
	if err == nil && len(all) >= mostSearches {
		err = bad(http.StatusConflict, "", fmt.Sprintf("there are %d searches already", len(all)), "delete some first")
	}
	return s, err
}

// wrongType returns the member that has the wrong type; empty: not known.
func wrongType(err error) string {
	if at, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return at.Field
	}
	return ""
}

func (a *api) deleteSearch(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	err := jets.ErrNoMessage
	if searchID.MatchString(id) {
		err = a.searches.Delete(r.Context(), id)
	}
	if errors.Is(err, jets.ErrNoMessage) {
		err = bad(http.StatusNotFound, "id", "there is no saved search of that id", "see GET "+root+"/searches")
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
