package search

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/consoleclient"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	index "github.com/witfoo/signal-client/sink/search"
)

// target is what is asked: a VictoriaLogs, or a console.
type target struct {
	console *consoleclient.Client
	index   *index.Index // the VictoriaLogs, or the console, which answers what its index answers
	direct  bool         // it is a VictoriaLogs
}

// load reads from the environment whom to ask.
func (t *target) load(cmd *cobra.Command) (err error) {
	var where config.Search
	if err := config.Load(cmd, &where); err != nil {
		return err
	}
	if t.console, err = consoleclient.Load(cmd); err != nil {
		return err
	}
	if t.direct = where.Remote(); !t.direct {
		t.index = &index.Index{URL: t.console.URL, HTTP: t.console.HTTP}
		return nil
	}
	asked, err := config.Config{Search: where}.Index(nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	t.index = &index.Index{URL: asked.Mode, User: asked.User, Password: asked.Password, HTTP: client}
	return nil
}

// ask sends a query, the form's, as it was typed. The caller closes the body. A query that
// is refused gives an *index.QueryError.
func (t *target) ask(ctx context.Context, q url.Values) (io.ReadCloser, error) {
	typed, form := q.Get("query"), maps.Clone(q)
	if t.direct { // the console does so itself
		form.Set("query", index.Query(typed))
	}
	answer, err := t.index.Get(ctx, "/select/logsql/query", form)
	if err != nil {
		return nil, t.unreachable(err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20)) // what was read says enough
	var told document
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") {
		_ = json.Unmarshal(body, &told)
	}
	switch {
	case told.Offset != nil:
		return nil, &index.QueryError{Query: typed, Offset: *told.Offset, Text: told.Cause}
	case t.direct && answer.StatusCode == http.StatusBadRequest:
		return nil, index.Complaint(typed, body)
	}
	return nil, t.refused(answer, told, body)
}

// document is a problem document of the console.
type document struct {
	Title, Detail, Cause, Remedy string
	Offset                       *int // of the place where the query is wrong
}

// unreachable returns the problem of a request without an answer.
func (t *target) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	p := &problem.Error{Op: "search at " + t.index.URL, Err: errors.New(problem.Innermost(err)), Code: problem.Unreachable}
	p.Hint = "SIGNAL_CLIENT_SEARCH=<the URL of the VictoriaLogs>"
	if !t.direct {
		p.Hint = "start the service (signal-client run); if its console is elsewhere: SIGNAL_CLIENT_CONSOLE_URL=http://<host>:8000"
	}
	return p
}

// refused returns the problem of an answer that is none.
func (t *target) refused(answer *http.Response, told document, body []byte) error {
	p := &problem.Error{Op: "search at " + t.index.URL, Hint: told.Remedy, Code: problem.Failed}
	p.Err = errors.New(cmp.Or(told.Cause, told.Detail, told.Title, firstLine(body), answer.Status))
	switch code := answer.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusFound || code == http.StatusSeeOther:
		p.Err, p.Code = fmt.Errorf("it asks who you are (%s)", answer.Status), problem.BadCredential
		p.Hint = "SIGNAL_CLIENT_CONSOLE_TOKEN_FILE=<file of an API token, which signal-client console token new prints>"
		if t.direct {
			p.Hint = "SIGNAL_CLIENT_SEARCH_USER and SIGNAL_CLIENT_SEARCH_PASSWORD_FILE"
		}
	case code == http.StatusNotFound && p.Hint == "":
		p.Err, p.Hint = errors.New("there is no search: the service has no console"), "SIGNAL_CLIENT_CONSOLE=on signal-client run"
	case code >= http.StatusInternalServerError && p.Hint == "":
		p.Hint = "signal-client doctor looks at the index"
	}
	return p
}

func firstLine(body []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	if len(line) > 300 || bytes.HasPrefix(line, []byte("<")) { // a page
		return ""
	}
	return string(line)
}

// behind tells how far the index is.
func behind(p consoleclient.Progress, found int) string {
	text := "The index is not complete: indexed " + term.Number(p.Indexed) + " of " + term.Number(p.Stream) + "."
	if p.State == index.StateStarting {
		text = "The index is starting; whether it is complete is not known yet."
	}
	if found == 0 {
		return "No event found so far. " + text
	}
	return text
}

// progress asks the console how far the index is; false: it does not say.
func (t *target) progress(ctx context.Context) (consoleclient.Progress, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	p, err := t.console.Index(ctx)
	return p, err == nil && !p.None()
}
