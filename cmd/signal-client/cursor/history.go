package cursor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/signals"
)

const cursorHistoryLong = `List an org's positions, the newest first: when and why each was written, how many
events came with it, and up to when the org was complete.

Why:
  page      the events of a page, and the link after it
  part      a page that was stored in parts
  start     a start at the org's since; under another host name, from the last event read
  import    where another program stopped, by an operator
  reopen    a new query: Okta refused the link, the filter changed, or by an operator
  rewind    an operator went back
  restore   the stream had no position, CURSORS had one
  copy      there were events above the newest position
  gap       nobody polled for longer than Okta keeps its log
  backfill  past events, by a backfill
  repair    past events that an audit found missing

Examples:
  signal-client cursor history acme
  signal-client cursor history acme --since 24h --limit 0
  signal-client cursor history acme --json | jq '.[] | select(.why != "page")'`

type historyCommand struct {
	cursorCommand
	since, until cli.TimeFlag
	limit        int
}

func newCursorHistory(p *cli.Program) *cobra.Command {
	h := &historyCommand{cursorCommand: cursorCommand{CommandContext: cli.CommandContext{Program: p}}}
	cmd := &cobra.Command{
		Use:     "history <name>",
		Aliases: []string{"log"},
		Short:   "List the positions, the newest first",
		Long:    cursorHistoryLong,
		RunE:    h.run,
	}
	cmd.Flags().IntVar(&h.limit, "limit", 20, "at most this many; 0: all")
	cmd.Flags().Var(&h.since, "since", "written since: an age or a time")
	cmd.Flags().Var(&h.until, "until", "written until: an age or a time")
	return h.flags(cmd)
}

func (h *historyCommand) run(cmd *cobra.Command, args []string) error {
	if h.limit < 0 {
		return problem.Usage(fmt.Sprintf("--limit=%d", h.limit), "it must be a number of positions, or 0 for all", "--limit 20")
	}
	o, done, err := h.operator(cmd, args)
	if err != nil {
		return err
	}
	defer done()
	steps, more, err := h.read(cmd.Context(), o)
	if err != nil {
		return h.problem(cmd.Context(), o.Store, "list positions of", err)
	}
	if h.json {
		list := []json.RawMessage{}
		for _, s := range steps {
			list = append(list, stepJSON(s))
		}
		return term.WriteJSON(h.Out(), list)
	}
	if err := h.grid(steps).Print(h.Out()); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(h.Err(), "There are older positions: --limit 0 lists all, --until %s the earlier ones.\n", steps[len(steps)-1].At.Format(time.RFC3339))
	}
	return nil
}

// read collects the requested positions, and reports whether there are more.
func (h *historyCommand) read(ctx context.Context, o *signals.Operator) (steps []signals.Step, more bool, err error) {
	now, seen := time.Now(), false
	for s, err := range o.History(ctx) {
		switch {
		case err != nil:
			return nil, false, err
		case !h.until.IsZero() && s.At.After(h.until.At(now)):
			seen = true
			continue
		case !h.since.IsZero() && s.Err == nil && s.At.Before(h.since.At(now)):
			return steps, false, nil
		case h.limit > 0 && len(steps) == h.limit:
			return steps, true, nil
		}
		seen = true
		steps = append(steps, s)
	}
	if !seen {
		_, err := o.CursorState(ctx)
		if errors.Is(err, signals.ErrNoPosition) {
			return nil, false, err
		}
	}
	return steps, false, nil
}

func (h *historyCommand) grid(steps []signals.Step) term.Grid {
	people := h.Out().Terminal
	g := term.Grid{
		Title:  fmt.Sprintf("%s: %s", h.Instance, term.Count(len(steps), "position")),
		Header: []string{"sequence", "written", "why", "events", "complete through", "published max", "link", "by"},
	}
	for _, s := range steps {
		if s.Err != nil {
			g.Rows = append(g.Rows, []any{s.Seq, time.Time{}, "unreadable", "", time.Time{}, time.Time{}, "", s.Err.Error()})
			continue
		}
		link, by := string(s.Link), s.By
		if people {
			link = place(s.Link)
		}
		if s.Note != "" {
			by += ": " + s.Note
		}
		if told := remark(s.Position); told != "" {
			by = strings.TrimPrefix(by+"; "+told, "; ")
		}
		g.Rows = append(g.Rows, []any{s.Seq, stamp(s.At, people), s.Why, s.Events, stamp(s.CompleteThrough, people), stamp(s.PublishedMax, people), link, by})
	}
	return g
}

// remark returns what a position reports besides its place.
func remark(p pipeline.Position) string {
	var told []string
	if p.Gap != nil && p.Events == 0 && p.Why != pipeline.WhyPage {
		told = append(told, "may be missing: "+cli.GapOf(*p.Gap))
	}
	if p.Assumed != "" && p.Why == pipeline.WhyStart {
		told = append(told, "assumed: "+p.Assumed)
	}
	return strings.Join(told, "; ")
}

// stamp formats a time in a list: to the second, not relative.
func stamp(t time.Time, people bool) any {
	if !people || t.IsZero() {
		return t
	}
	return t.UTC().Format("01-02 15:04:05")
}

// place returns the identifying part of a link: its cursor, or its since.
func place(link pipeline.Link) string {
	_, query, _ := strings.Cut(string(link), "?")
	values, _ := url.ParseQuery(query)
	for _, name := range []string{"after", "since"} {
		if v := values.Get(name); v != "" {
			return term.Cut(name+"="+v, 40)
		}
	}
	return term.Cut(string(link), 40)
}
