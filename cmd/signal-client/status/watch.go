package status

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/overview"
)

// watching shows the current status repeatedly.
type watching struct {
	*cli.Program
	statusFlags

	paces   map[string]overview.Pace // by instance
	shown   map[string]any           // what was last printed of each, into a pipe
	started bool                     // the header is printed, or the screen cleared
	away    bool                     // it was printed that NATS is away
}

// Run shows until ctx ends, and returns its error.
func (w *watching) Run(ctx context.Context, l *overview.Watcher) error {
	w.paces, w.shown = map[string]overview.Pace{}, map[string]any{}
	began := time.Now()
	looking, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = l.Run(looking) }) // it ends with looking
	defer wg.Wait()
	defer end()
	for wait := 50 * time.Millisecond; ; {
		if err := pipeline.Sleep(ctx, wait); err != nil {
			return err
		}
		v := l.Look()
		switch {
		case !v.Complete && v.Away != nil && time.Since(began) > cli.VisitTime:
			return v.Away
		case !v.Complete:
			continue
		}
		wait = w.watch
		if err := w.show(v, time.Now()); err != nil {
			return err
		}
	}
}

func (w *watching) show(v overview.Overview, now time.Time) error {
	all, err := chosen(overview.Statuses(v, now), w.instances)
	if err != nil {
		return err
	}
	for _, s := range all {
		w.paces[s.Instance] = w.paces[s.Instance].Next(s, now)
	}
	out := w.Out()
	switch {
	case w.json || !out.Terminal:
		w.sayAway(v.Away)
		return w.append(out, all, overview.Shares(v.Replicas), now)
	}
	return w.draw(out, all, overview.Shares(v.Replicas), v.Away, now)
}

// sayAway prints once that the figures are outdated, and once that they are current again.
func (w *watching) sayAway(err error) {
	if away := err != nil; away != w.away {
		w.away = away
		if away {
			fmt.Fprintln(w.Err(), "NATS is away: "+term.Printable(err.Error()))
		} else {
			fmt.Fprintln(w.Err(), "NATS is back")
		}
	}
}

// draw redraws the terminal, as far as it fits.
func (w *watching) draw(out term.Screen, all []pipeline.Status, replicas []overview.Share, away error, now time.Time) error {
	var b bytes.Buffer
	to := out
	to.Writer = &b
	fmt.Fprintf(&b, "%s, every %s; Ctrl-C ends it\n", now.Format(time.TimeOnly), w.watch)
	if away != nil {
		fmt.Fprintln(&b, out.Paint(term.Red, "NATS is away; last known state: ")+term.Printable(away.Error()))
	}
	var err error
	if w.replicas {
		err = printShares(to, replicas)
	} else {
		err = printStatuses(to, all, replicas, w.paces, now)
	}
	if err != nil {
		return err
	}
	if !w.started {
		w.started = true
		fmt.Fprint(out, "\x1b[2J")
	}
	_, err = fmt.Fprint(out, "\x1b[H"+fitting(b.String(), term.TerminalHeight())+"\x1b[J")
	return err
}

// fitting prepares text to be drawn over another: each line erases the rest of the old
// one, and what does not fit is left out.
func fitting(text string, height int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if height > 2 && len(lines) >= height {
		more := len(lines) - height + 2
		lines = append(lines[:height-2:height-2], fmt.Sprintf("… %d more lines", more))
	}
	return strings.Join(lines, "\x1b[K\n") + "\x1b[K\n"
}

// statusLine is a line of status --watch --json.
type statusLine struct {
	At time.Time `json:"at"`
	pipeline.Status
	overview.Pace
}

type replicaLine struct {
	At time.Time `json:"at"`
	overview.Share
}

func (w *watching) append(out term.Screen, all []pipeline.Status, replicas []overview.Share, now time.Time) error {
	var rows [][]any
	var documents []any
	at := now.UTC().Truncate(time.Millisecond)
	if w.replicas {
		for i, s := range replicas {
			if w.changed(s.Replica, s) {
				rows = append(rows, append([]any{at}, shareGrid(replicas).Rows[i]...))
				documents = append(documents, replicaLine{at, s})
			}
		}
		return w.write(out, append([]string{"time"}, shareGrid(nil).Header...), rows, documents)
	}
	for _, s := range all {
		if w.changed(s.Instance, seen(s)) {
			p := w.paces[s.Instance]
			row := append([]any{at}, statusRow(s, false)...)
			rows = append(rows, append(append(row, paceCells(p, false)...), s.LastError))
			documents = append(documents, statusLine{at, s, p})
		}
	}
	return w.write(out, append([]string{"time"}, statusHeader(true)...), rows, documents)
}

// seen returns a status without the fields that always change.
func seen(s pipeline.Status) pipeline.Status {
	s.LagSeconds = 0
	return s
}

func (w *watching) changed(name string, now any) bool {
	if reflect.DeepEqual(w.shown[name], now) {
		return false
	}
	w.shown[name] = now
	return true
}

func (w *watching) write(out term.Screen, header []string, rows [][]any, documents []any) error {
	if w.json {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		for _, d := range documents {
			if err := e.Encode(d); err != nil {
				return err
			}
		}
		return nil
	}
	g := term.Grid{Header: header, Rows: rows, Headless: w.started}
	w.started = true
	return g.Print(out)
}
