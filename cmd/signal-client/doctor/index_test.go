package doctor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/consoleclient"
)

// What the console says of the index, as schemas/openapi.json describes it, and what the
// doctor makes of it.
func TestIndex(t *testing.T) {
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "search", "partitions"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "search", "partitions", "x"), make([]byte, 2048), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, index string
		result      outcome
		found       string // a regular expression
	}{
		{"current", `{"state":"current","stream":1000000,"indexed":1000000,"behind":0,"through":"2026-11-28T10:00:00Z"}`, outcomeOK, `^1,000,000 of the stream's 1,000,000 events, the newest was stored .* ago, 2\.0 KiB in \S+search, .* left there$`},
		{"on its way", `{"state":"current","stream":1000000,"indexed":999998,"behind":2}`, outcomeOK, `^999,998 of the stream's 1,000,000 events`},
		{"behind", `{"state":"indexing","stream":1000000,"indexed":812000,"behind":188000}`, outcomeWarning, `it is behind: 812,000 of the stream's 1,000,000 events`},
		{"rebuilding", `{"state":"rebuilding","rebuilding":true,"stream":10,"indexed":5,"behind":5}`, outcomeWarning, `it is being built again: 5 of the stream's 10 events`},
		{"starting", `{"state":"starting","stream":0}`, outcomeWarning, `^it is starting$`},
		{"failed", `{"state":"failed","trouble":"the disk is full","remedy":"free some space"}`, outcomeWrong, `^the disk is full`},
		{"refused", `{"state":"current","stream":10,"indexed":7,"refused":{"old":2,"future":1}}`, outcomeOK, `3 not taken, which happened before`},
		{"off", `{"state":"off"}`, outcomeSkipped, `^the service has no index$`},
	} {
		t.Run(test.name, func(t *testing.T) {
			console := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, `{"integrations":[],"index":%s}`, test.index)
			}))
			defer console.Close()
			s := &surroundings{doctor: &doctor{server: config.Server{DataDir: data}, console: &consoleclient.Client{URL: console.URL, HTTP: console.Client()}}}
			var d observation
			s.index(t.Context(), &d)
			f := d.finding(groupStreams, "", "search index")
			if f.Result != test.result || !regexp.MustCompile(test.found).MatchString(f.Found) {
				t.Errorf("%s: %s; want %s: %s", f.Result, f.Found, test.result, test.found)
			}
			if (f.Result == outcomeWarning || f.Result == outcomeWrong) && f.Remedy == "" {
				t.Error("no remedy")
			}
		})
	}
}

func TestIndexThatNobodyTells(t *testing.T) {
	none := httptest.NewServer(http.NotFoundHandler())
	defer none.Close()
	for url, want := range map[string]string{none.URL: "has no console", "http://127.0.0.1:1": "the running service tells"} {
		s := &surroundings{doctor: &doctor{console: &consoleclient.Client{URL: url, HTTP: &http.Client{}}}}
		var d observation
		s.index(t.Context(), &d)
		if f := d.finding(groupStreams, "", "search index"); f.Result != outcomeSkipped || !strings.Contains(f.Found, want) {
			t.Errorf("%s: %s", f.Result, f.Found)
		}
	}
}
