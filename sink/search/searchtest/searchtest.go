// Package searchtest runs a VictoriaLogs for tests, and fills it with events. Start at
// [Start].
package searchtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/sink/search/child"
)

// argument makes a test binary the process of an index.
const argument = "search-index"

// Main makes the process an index if Start began it; else it returns. TestMain calls it
// first.
func Main() {
	if len(os.Args) != 2 || os.Args[1] != argument {
		return
	}
	if err := child.Run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Server is a VictoriaLogs in a process of its own.
type Server struct {
	search.Index
	PID  int
	stop func() error
}

// Start starts this test binary as an index, with the arguments before its own if any are
// given: the name by which the binary runs a program.
func Start(dir string, name ...string) (*Server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, argument)
	if len(name) > 0 {
		cmd.Args[0] = name[0]
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{PID: cmd.Process.Pid, stop: func() error { return errors.Join(in.Close(), cmd.Wait()) }}
	settings := search.ChildSettings{Dir: dir, Password: "test-password", Memory: 256 << 20, LeastFree: 10 << 20, Retention: 90 * 24 * time.Hour}
	var ready search.ChildReady
	if err := errors.Join(json.NewEncoder(in).Encode(settings), json.NewDecoder(out).Decode(&ready)); err != nil {
		return nil, errors.Join(fmt.Errorf("start the index: %w", err), s.Stop())
	}
	s.Index = search.Index{URL: ready.URL, User: search.ChildUser, Password: pipeline.NewSecret(settings.Password), HTTP: &http.Client{}}
	return s, nil
}

// Stop ends the process.
func (s *Server) Stop() error { return s.stop() }

// Insert adds the rows of events. They can be found when it returns.
func (s *Server) Insert(ctx context.Context, kind *pipeline.Kind, events []*scan.Stored) error {
	var rows []byte
	for i, e := range events {
		rows = search.AppendRow(rows, kind, e)
		if len(rows) > 4<<20 || i == len(events)-1 {
			if err := s.post(ctx, "/insert/jsonline?_stream_fields="+search.FieldInstance, rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	return s.post(ctx, "/internal/force_flush", nil)
}

func (s *Server) post(ctx context.Context, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(s.User, s.Password.Reveal())
	answer, err := s.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		return fmt.Errorf("%s: %s: %s", path, answer.Status, text)
	}
	return nil
}
