package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	index "github.com/witfoo/signal-client/sink/search"
)

const searchLong = `Search stored events, the newest first: a table on a terminal, one event per line as
JSON in a pipe.

The query language is VictoriaLogs' LogsQL:
  alice@example.com                    a word or an address, in any field
  "Jane Doe"                           words in this order, in any field
  actor.alternateId:alice@example.com  in a field; names are Okta's, joined by dots
  eventType:=user.session.start        the whole value
  client.ipAddress:ipv4_range(203.0.113.0/24)
  outcome.result:(FAILURE or DENY) !eventType:policy*
  eventType:* | stats by (eventType) count() as n | sort by (n desc)
All of it: https://docs.victoriametrics.com/victorialogs/logsql/

The fields of an event are Okta's members, and instance, seq (the sequence in SIGNALS),
stored (when it was stored), _time (when it happened) and _msg (its message). Values in
arrays are gathered: target.alternateId holds those of all targets.

It asks the VictoriaLogs of SIGNAL_CLIENT_SEARCH if that is a URL, else the console of the
running service: at SIGNAL_CLIENT_CONSOLE_URL, or on this machine at
SIGNAL_CLIENT_HTTP_ADDR. SIGNAL_CLIENT_CONSOLE_TOKEN_FILE holds an API token for a console
that asks for one. The index follows the stream; while it is behind, standard error says
how far it is. --raw reads the events themselves from NATS.

Examples:
  signal-client search 'eventType:user.session.start outcome.result:FAILURE' --since 24h
  signal-client search alice@example.com --json | jq -r .eventType
  signal-client search 'instance:acme eventType:user.account.lock' --tail
  signal-client search 'client.ipAddress:203.0.113.7' --raw > events.ndjson`

// onTerminal is how many events a table has at most, unless more are asked for.
const onTerminal = 100

type searchCommand struct {
	cli.CommandContext
	target
	since, until    cli.TimeFlag
	limit           int
	tail, json, raw bool

	cmd   *cobra.Command
	typed string // the query
	now   time.Time
	to    printer
}

// New makes the command search.
func New(p *cli.Program) *cobra.Command {
	s := &searchCommand{CommandContext: cli.CommandContext{Program: p}}
	cmd := &cobra.Command{
		Use:               "search <query>",
		Short:             "Search stored events",
		Long:              searchLong,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.completeField,
		RunE:              s.run,
	}
	f := cmd.Flags()
	f.Var(&s.since, "since", "events that happened since: an age or a time")
	f.Var(&s.until, "until", "events that happened before this: an age or a time")
	f.IntVar(&s.limit, "limit", 0, "the newest `N`; 0: all; default: 100 in a table, else all")
	f.BoolVarP(&s.tail, "tail", "f", false, "print events as they are indexed, until interrupted")
	f.BoolVar(&s.json, "json", false, "print one event per line as JSON, on a terminal too")
	f.BoolVar(&s.raw, "raw", false, "print Okta's own bytes, read from NATS, one event per line")
	return s.Connection(cmd)
}

func (s *searchCommand) run(cmd *cobra.Command, args []string) error {
	s.cmd, s.typed, s.now = cmd, strings.Join(args, " "), time.Now()
	if err := s.refuse(); err != nil {
		return err
	}
	if err := s.target.load(cmd); err != nil {
		return err
	}
	done, err := s.open(cmd)
	if err != nil {
		return err
	}
	defer done()
	signal.Ignore(syscall.SIGPIPE) // a reader may close its end: then a write fails, and the rest is skipped
	if s.tail {
		err = s.follow(cmd.Context())
	} else {
		err = s.list(cmd.Context())
	}
	if errors.Is(err, problem.BrokenPipe) {
		return nil
	}
	return s.problem(err)
}

// refuse returns the problems of query and flags, all at once.
func (s *searchCommand) refuse() error {
	var k problem.Checks
	k.Add(strings.TrimSpace(s.typed) == "", "the query is missing", "it says which events to look for; * stands for all", "signal-client search '*' --since 1h")
	k.Add(!s.since.IsZero() && !s.until.IsZero() && !s.since.At(s.now).Before(s.until.At(s.now)),
		fmt.Sprintf("--since=%s --until=%s", &s.since, &s.until), "the second must be after the first", "--since=24h --until=1h")
	k.Add(s.limit < 0, fmt.Sprintf("--limit=%d", s.limit), "it must be a number of events, or 0 for all", "--limit 100")
	k.Add(s.tail && (!s.since.IsZero() || !s.until.IsZero() || s.limit > 0), "--tail with --since, --until or --limit", "it prints what is indexed from now on", "leave one out")
	k.Add(s.raw && s.json, "--raw with --json", "they are two forms of an event", "leave one out")
	k.Add((s.tail || s.raw) && index.Piped(s.typed), "--tail or --raw with a query that has pipes", "what comes out of pipes need not be events", "leave out the pipes: signal-client search 'eventType:*' --tail")
	return errors.Join(k.Errs...)
}

// open decides how events are printed, and connects to NATS if it must.
func (s *searchCommand) open(cmd *cobra.Command) (done func(), err error) {
	out := s.Out()
	switch {
	case s.raw:
		store, done, err := s.Connect(cmd)
		if err != nil {
			return nil, err
		}
		s.to = &rawPrinter{to: out, conn: store.Conn, kinds: store.Kinds}
		return done, nil
	case s.json || !out.Terminal:
		s.to = linePrinter{out}
	case s.tail:
		s.to = &eventPrinter{to: out}
	default:
		s.to = &tablePrinter{to: out}
	}
	return func() {}, nil
}

// list prints what there is.
func (s *searchCommand) list(ctx context.Context) error {
	found, more := 0, false
	print := func(rows []row) error {
		found += len(rows)
		return s.to.rows(ctx, rows)
	}
	var err error
	if index.Piped(s.typed) {
		err = s.piped(ctx, print)
	} else {
		more, err = s.newest(ctx, print)
	}
	if err := cmp.Or(err, s.to.end()); err != nil {
		return err
	}
	s.conclude(ctx, found, more)
	return nil
}

// most returns how many events are asked for; 0: all.
func (s *searchCommand) most() int {
	if _, table := s.to.(*tablePrinter); table && !s.cmd.Flags().Changed("limit") {
		return onTerminal
	}
	return s.limit
}

// conclude says on standard error what the output does not.
func (s *searchCommand) conclude(ctx context.Context, found int, more bool) {
	p, known := s.progress(ctx)
	switch {
	case known && !p.Complete():
		s.Say("%s", behind(p, found))
	case known && found == 0:
		s.Say("No event matches.")
	case found == 0:
		s.Say("No event of the index matches. Whether the index has all that the stream has: signal-client doctor.")
	}
	if more {
		s.Say("There are more: --limit 0 prints all.")
	}
}

// problem returns an error as people need it. A refused query is shown, with a caret under
// the place.
func (s *searchCommand) problem(err error) error {
	refused, ok := errors.AsType[*index.QueryError](err)
	if !ok {
		return err
	}
	shown := &index.QueryError{Query: s.typed, Offset: min(refused.Offset, utf8.RuneCountInString(s.typed))} // without what was added
	_, _ = io.WriteString(s.Err(), caret(shown))
	return &problem.Error{Op: "search", Err: refused, Hint: "signal-client search --help shows queries; https://docs.victoriametrics.com/victorialogs/logsql/", Code: problem.BadUsage}
}
