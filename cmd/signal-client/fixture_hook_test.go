package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// hook is a receiver of notifications at $HOOK. It answers 500 below /broken.
type hook struct {
	mu  sync.Mutex
	got []string
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	h.got = append(h.got, r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body))
	h.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/broken") {
		w.WriteHeader(http.StatusInternalServerError)
	}
	fmt.Fprint(w, "got ", r.URL.Path)
}

// startHook starts the receiver of a script.
func startHook(env *testscript.Env) {
	h := &hook{}
	server := httptest.NewServer(h)
	env.Defer(server.Close)
	env.Setenv("HOOK", server.URL)
	env.Values["hook"] = h
}

// hooked waits until the receiver has got a request that matches: path, header
// Authorization, body.
func hooked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hooked <regexp>")
	}
	h, re := ts.Value("hook").(*hook), regexp.MustCompile(args[0])
	eventually(ts, "hooked "+args[0], func() (string, bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, got := range h.got {
			if re.MatchString(got) {
				return got, true
			}
		}
		return strings.Join(h.got, "\n"), false
	})
}
