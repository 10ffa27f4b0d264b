package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/sink/search"
)

// logsql are the endpoints of VictoriaLogs that only read; vmui and Grafana's data source
// use these.
var logsql = []string{
	"query", "query_time_range", "tail", "hits", "facets", "field_names", "field_values", "stats_query", "stats_query_range",
	"streams", "stream_ids", "stream_field_names", "stream_field_values",
}

// proxy adds the read-only way to the index. No other path reaches it.
func (a *api) proxy(mux *http.ServeMux) {
	for _, name := range logsql {
		path := "/select/logsql/" + name
		mux.Handle(path, methods{http.MethodGet: a.ask(path), http.MethodPost: a.ask(path)})
	}
	mux.Handle("/health", methods{http.MethodGet: http.HandlerFunc(a.health)})
	mux.Handle("/select/tenant_ids", methods{http.MethodGet: http.HandlerFunc(tenants)})
	explore := methods{http.MethodGet: http.HandlerFunc(a.explore)}
	mux.Handle("/select/buildinfo", explore)
	mux.Handle("/select/vmui/", explore)
	mux.Handle("/select/vmui", methods{http.MethodGet: http.RedirectHandler("/select/vmui/", http.StatusFound)})
}

// tenants answers vmui, which asks for them: there is one.
func tenants(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, []map[string]int{{"account_id": 0, "project_id": 0}})
}

// health answers Grafana's data source, whose test asks for it.
func (a *api) health(w http.ResponseWriter, r *http.Request) {
	if _, err := a.Index(); err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "OK\n") // the client is gone
}

// unforwarded are parameters that are not for readers.
var unforwarded = []string{"debug", "trace"}

// mostArgument is the longest parameter of a query: VictoriaLogs has a bound of its own for
// the query alone, and parsing a deeply nested filter ends it.
const mostArgument = 16 << 10

// ask sends a query to the index, and passes its answer on as it comes. The query ends when
// the client goes.
func (a *api) ask(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		if err := r.ParseForm(); err != nil {
			a.fail(w, r, unreadable(err))
			return
		}
		typed := r.Form.Get("query")
		forwarded := url.Values{}
		for name, values := range r.Form {
			if slices.ContainsFunc(values, func(v string) bool { return len(v) > mostArgument }) {
				a.fail(w, r, bad(http.StatusRequestEntityTooLarge, name, fmt.Sprintf("it is longer than %d bytes", mostArgument), "shorten it"))
				return
			}
			if !slices.Contains(unforwarded, name) {
				forwarded[name] = values
			}
		}
		if typed != "" {
			forwarded.Set("query", search.Query(typed))
		}
		index, err := a.Index()
		if err != nil {
			a.fail(w, r, err)
			return
		}
		answered, err := index.Get(r.Context(), path, forwarded)
		if err != nil {
			a.fail(w, r, errors.Join(search.ErrUnavailable, err))
			return
		}
		defer answered.Body.Close()
		if answered.StatusCode >= http.StatusBadRequest {
			p := complaint(typed, answered)
			if p.Status == http.StatusServiceUnavailable {
				w.Header().Set("Retry-After", busyRetry)
			}
			refuse(w, p)
			return
		}
		pass(w, answered)
	}
}

func unreadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bad(http.StatusRequestEntityTooLarge, "", "the body is too large", "send a shorter query")
	}
	return bad(http.StatusBadRequest, "", "the parameters can't be read: "+err.Error(), "encode them as a form or in the URL")
}

// passedOn are the headers of an answer that the client gets.
var passedOn = []string{"Content-Type", "Content-Encoding", "Vl-Request-Duration-Seconds", "Etag", "Last-Modified"}

// pass copies an answer to the client as it comes.
func pass(w http.ResponseWriter, from *http.Response) {
	for _, name := range passedOn {
		if v := from.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(from.StatusCode)
	to := flushing(w)
	_, _ = to.Write(nil)                                                                                // headers first: a tail may have nothing to say for long
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from.Body}, make([]byte, 64<<10)) // either side is gone
}

// mostComplaint is how much of an error is read.
const mostComplaint = 64 << 10

// busyRetry is after how many seconds a search that was turned away may be tried again.
const busyRetry = "5"

// complaint returns the problem of a query that the index refuses.
func complaint(typed string, answered *http.Response) Problem {
	said, _ := io.ReadAll(io.LimitReader(answered.Body, mostComplaint)) // what was read says enough
	p := Problem{Status: answered.StatusCode, Title: "The search index refuses it", Cause: strings.TrimSpace(string(said))}
	switch answered.StatusCode {
	case http.StatusBadRequest:
	case http.StatusUnprocessableEntity:
		said = ofPrometheus(said)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return busy(p.Cause)
	default:
		p.Status = http.StatusBadGateway
		return p
	}
	if !ofQuery(said) {
		p.Title, p.Cause = "A parameter is wrong", strings.TrimSpace(string(said))
		p.Remedy = "Correct it; the parameters are described at https://docs.victoriametrics.com/victorialogs/querying/"
		return p
	}
	if q := search.Complaint(typed, said); q != nil {
		p.Title, p.Field, p.Cause, p.Offset = "The query is wrong", "query", q.Text, &q.Offset
		p.Remedy = "Correct it at the marked place; LogsQL is described at https://docs.victoriametrics.com/victorialogs/logsql/"
	}
	return p
}

// ofPrometheus returns the text of an error that is a document as Prometheus writes them:
// stats_query and stats_query_range do.
func ofPrometheus(said []byte) []byte {
	var document struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(said, &document) != nil || document.Error == "" {
		return said
	}
	return []byte(document.Error)
}

// ofQuery reports whether a complaint is about the query, which it then quotes, and not
// about another parameter.
func ofQuery(said []byte) bool {
	return bytes.Contains(said, []byte("`query` arg")) || bytes.Contains(said, []byte("query ["))
}

// busy returns the problem of a search that the index had no time for: it waited for its
// turn too long, or took too long. What VictoriaLogs says of it is about its flags.
func busy(said string) Problem {
	p := Problem{
		Status: http.StatusServiceUnavailable, Title: "The search index is busy", Cause: "other searches keep the index busy, and this one did not get its turn",
		Remedy: "Search again in a few seconds, or close searches and tabs that are not needed.",
	}
	if !strings.Contains(said, "couldn't start executing") { // again, it would take as long
		p.Status = http.StatusGatewayTimeout
		p.Title, p.Cause, p.Remedy = "The search takes too long", "the index could not finish the search in the time that one may take", "Search a shorter time range, or add a filter such as eventType:user.session.start."
	}
	return p
}

// explore serves VictoriaLogs' own page.
func (a *api) explore(w http.ResponseWriter, r *http.Request) {
	index, err := a.Index()
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answered, err := index.File(r.Context(), r.URL.Path)
	if err != nil {
		a.fail(w, r, errors.Join(search.ErrUnavailable, err))
		return
	}
	defer answered.Body.Close()
	if strings.HasPrefix(r.URL.Path, "/select/vmui/assets/") {
		w.Header().Set("Cache-Control", "private, max-age=86400") // their names change with their contents
	}
	pass(w, answered)
}
