package cursor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/signals"
)

const cursorLong = `Show an org's position, and go back.

After each page the service writes a position into the stream SIGNALS, in one
transaction with the page's events: the link to request next, and the time up to
which the org is complete. All positions are kept; a rewind goes back to one of
them. The bucket CURSORS holds a copy of the newest one.

Examples:
  signal-client cursor show acme
  signal-client cursor history acme --since 24h
  signal-client cursor rewind acme --to 2h --dry-run
  signal-client cursor reopen acme --since 3d`

// New makes the command cursor.
func New(p *cli.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cursor",
		Aliases: []string{"position"},
		Short:   "Show an org's position, and go back",
		Long:    cursorLong,
	}
	cmd.AddCommand(newCursorShow(p), newCursorHistory(p), newCursorRewind(p), newCursorReopen(p))
	return cmd
}

type cursorCommand struct {
	cli.CommandContext
	json bool
}

// flags adds the common flags, and makes the org an argument.
func (c *cursorCommand) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 && cmd.Flags().Changed("instance") {
			return nil
		}
		return cli.Named(1)(cmd, args)
	}
	cmd.ValidArgsFunction = cli.CompleteInstances(1)
	cmd.Flags().BoolVar(&c.json, "json", false, "print one JSON document")
	c.CommandContext.Flags(cmd)
	_ = cmd.Flags().MarkHidden("instance")
	return cmd
}

// operator connects to NATS and returns the instance's Operator.
func (c *cursorCommand) operator(cmd *cobra.Command, args []string) (*signals.Operator, func(), error) {
	if len(args) == 1 {
		c.Instance = args[0]
	}
	store, done, err := c.Open(cmd)
	if err != nil {
		return nil, nil, err
	}
	return &signals.Operator{Store: store, Instance: c.Instance}, done, nil
}

const cursorShowLong = `Show an org's newest position in the stream, and whether the copy in CURSORS agrees.

Examples:
  signal-client cursor show acme
  signal-client cursor show acme --json | jq -r .position.link`

func newCursorShow(p *cli.Program) *cobra.Command {
	c := &cursorCommand{CommandContext: cli.CommandContext{Program: p}}
	return c.flags(&cobra.Command{
		Use:   "show <name>",
		Short: "Show the newest position, and whether CURSORS agrees",
		Long:  cursorShowLong,
		RunE:  c.show,
	})
}

// positionDocument is the output of cursor show --json.
type positionDocument struct {
	Instance   string          `json:"instance"`
	Position   json.RawMessage `json:"position"` // with "sequence"; null: none in the stream
	LagSeconds float64         `json:"lag_seconds"`
	Cursor     *signals.Cursor `json:"cursor"` // from CURSORS
	Agrees     bool            `json:"agrees"`
	Holder     string          `json:"holder"`
}

func (c *cursorCommand) show(cmd *cobra.Command, args []string) error {
	o, done, err := c.operator(cmd, args)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(cmd.Context(), cli.VisitTime)
	defer cancel()
	st, err := o.CursorState(ctx)
	if err != nil && (!errors.Is(err, signals.ErrNoPosition) || st.Cursor == nil) {
		return c.problem(ctx, o.Store, "show", err)
	}
	now, holder := time.Now(), c.holder(ctx, o.Store)
	if !c.json {
		return c.facts(st, holder, now).Print(c.Out())
	}
	s := positionDocument{Instance: c.Instance, Position: json.RawMessage("null"), Cursor: st.Cursor, Agrees: st.Agrees, Holder: holder}
	if st.Seq > 0 {
		s.Position = stepJSON(st.Step)
		s.LagSeconds = max(0, now.Sub(st.CompleteThrough).Seconds())
	}
	return term.WriteJSON(c.Out(), s)
}

func (c *cursorCommand) holder(ctx context.Context, store *jets.Store) string {
	replicas, err := locks.ReadReplicas(ctx, store)
	if err != nil {
		return ""
	}
	return replicas.Holder(jets.Key(store.Kind.Name, c.Instance))
}

// facts returns the standing, one fact per row.
func (c *cursorCommand) facts(st signals.CursorState, holder string, now time.Time) term.Grid {
	people := c.Out().Terminal
	g := term.Grid{Title: c.Instance, Header: []string{"field", "value"}}
	add := func(name string, v any) { g.Rows = append(g.Rows, []any{name, v}) }
	if st.Seq == 0 {
		add("position", "none in the stream: the next poll continues from CURSORS")
	} else {
		add("position", fmt.Sprint(st.Seq))
		add("written", term.When(st.At, now, people))
		add("why", reason(st.Step))
		add("complete through", term.When(st.CompleteThrough, now, people))
		add("last event", lastOf(st.Position))
		add("published max", term.When(st.PublishedMax, now, people))
		add("dedupe from", dedupe(st.Position))
		if st.Gap != nil {
			add("may be missing", cli.GapOf(*st.Gap))
		}
		add("origin", st.Origin)
		if st.Org != "" {
			add("org", st.Org)
		}
		if st.Assumed != "" {
			add("assumed", st.Assumed)
		}
		add("query", st.Query)
		add("link", string(st.Link))
	}
	if st.Fence != st.Seq {
		add("unreadable", fmt.Sprintf("the newest message on %s, at %d, is not a position and is skipped", jets.SubjectPosition(c.Kind.Name, c.Instance), st.Fence))
	}
	add("CURSORS", agreement(st, now))
	add("holder", cmp.Or(holder, "none: it is not polled"))
	return g
}

// reason returns why a position was written, and by whom.
func reason(s signals.Step) string {
	text := string(s.Why)
	switch s.Why {
	case pipeline.WhyPage, pipeline.WhyPart, pipeline.WhyBackfill, pipeline.WhyRepair:
		text = fmt.Sprintf("%s, %s", s.Why, term.Count(s.Events, "event"))
	}
	if s.By != "" {
		text += " by " + s.By
	}
	if s.Note != "" {
		text += ": " + s.Note
	}
	return text
}

func lastOf(p pipeline.Position) string {
	if p.LastEvent == nil {
		return "none"
	}
	return p.LastEvent.UUID + ", published " + p.LastEvent.Published
}

func dedupe(p pipeline.Position) string {
	if p.DedupeFrom == 0 {
		return "0: pages are compared with the newest events"
	}
	return fmt.Sprintf("%d: known events are served again, and compared with everything stored since", p.DedupeFrom)
}

// agreement compares CURSORS with the stream.
func agreement(st signals.CursorState, now time.Time) string {
	cursor := st.Cursor
	switch {
	case cursor == nil:
		return "has no entry: the next poll writes it"
	case st.Seq == 0:
		return fmt.Sprintf("position %d, written %s", cursor.StreamSeq, term.Relative(cursor.UpdatedAt, now))
	case !cursor.StreamCreated.Equal(st.Extent.Created):
		return "belongs to another stream SIGNALS; the stream counts"
	case st.Agrees && cursor.CompleteThrough.After(st.At):
		return "agrees, with idle polls since"
	case st.Agrees:
		return "agrees"
	case cursor.StreamSeq < st.Seq:
		return fmt.Sprintf("is behind, at position %d; the next poll writes it", cursor.StreamSeq)
	}
	return fmt.Sprintf("is ahead, at position %d: positions were deleted or lost; the stream counts", cursor.StreamSeq)
}

// stepJSON returns a position as stored, with its sequence and author.
func stepJSON(s signals.Step) json.RawMessage {
	own := struct {
		Sequence uint64 `json:"sequence"`
		By       string `json:"by,omitempty"`
		Note     string `json:"note,omitempty"`
		Error    string `json:"error,omitempty"` // it can't be read: no other members
	}{s.Seq, s.By, s.Note, ""}
	if s.Err != nil {
		own.Error = s.Err.Error()
	}
	head, err := json.Marshal(own)
	if err != nil || s.Err != nil {
		return head
	}
	tail, err := s.Position.MarshalJSON()
	if err != nil {
		return head
	}
	return append(append(head[:len(head)-1], ','), tail[1:]...)
}
