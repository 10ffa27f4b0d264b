package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

func (a *api) status(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, a.View.Fleet().Integrations)
}

func (a *api) fleet(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, a.View.Fleet())
}

const (
	aliveEvery = 5 * time.Second
	// writeTime is how long a client may take for what is sent to it at once.
	writeTime = 20 * time.Second
)

// statusStream sends server-sent events: reset before all integrations are sent, status
// with an integration that is new or changed, gone with the name of one that was removed,
// fleet with the picture without its integrations, and alive every few seconds. The id of
// an event continues the stream.
func (a *api) statusStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx
	to := flushing(w)
	changes := make(chan view.Change)
	ctx := r.Context()
	go func() {
		defer close(changes)
		_ = pipeline.Contain(jets.OrDiscard(a.Log), "console: stream of statuses", func() error {
			for c := range a.View.Changes(ctx, r.Header.Get("Last-Event-ID")) {
				select {
				case changes <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	defer func() {
		for range changes { // it ends with the request
		}
	}()
	if _, err := fmt.Fprint(to, "retry: 2000\n\n"); err != nil {
		return
	}
	beats := time.NewTicker(aliveEvery)
	defer beats.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case c, more := <-changes:
			if !more {
				return
			}
			_, err = to.Write(events(c))
		case now := <-beats.C:
			_, err = fmt.Fprintf(to, ": alive\n\nevent: alive\ndata: {\"at\":%q}\n\n", now.UTC().Format(time.RFC3339Nano))
		}
		if err != nil {
			return
		}
	}
}

// events encodes a change. Its ID comes with the last event, so that a break before it
// repeats the others.
func events(c view.Change) []byte {
	var b bytes.Buffer
	event := func(name string, document any) {
		data, err := json.Marshal(document)
		if err != nil {
			return // none of these fails
		}
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, data)
	}
	if c.Whole {
		event("reset", struct{}{})
	}
	for _, i := range c.Changed {
		event("status", i)
	}
	for _, instance := range c.Gone {
		event("gone", map[string]string{"instance": instance})
	}
	summary := *c.Fleet
	summary.Integrations = nil
	fmt.Fprintf(&b, "id: %s\n", c.ID)
	event("fleet", summary)
	return b.Bytes()
}

// flushed writes to a client at once, and gives up on one that reads too slowly.
type flushed struct {
	w http.ResponseWriter
	c *http.ResponseController
}

// flushing returns a writer for answers that go on for long.
func flushing(w http.ResponseWriter) flushed { return flushed{w, http.NewResponseController(w)} }

// Write implements io.Writer.
func (f flushed) Write(data []byte) (int, error) {
	// What does not support deadlines has none; what can't flush buffers.
	_ = f.c.SetWriteDeadline(time.Now().Add(writeTime))
	n, err := f.w.Write(data)
	if err == nil {
		err = f.c.Flush()
	}
	return n, err
}
