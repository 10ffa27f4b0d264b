package importcursor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/signals"
)

const long = `Continue where another program stopped polling an org, instead of at the
integration's since: this writes the integration's first position.

By a link, the next one that the program kept, nothing is left out and nothing is
read twice: the first request is the one that the program would have sent next.
That holds if it has delivered everything before. By a time, that of the newest
event that it delivered, polling starts an hour earlier, because Okta may log an
event up to an hour late: what the program has delivered of that hour is stored
here, too, once. Either way no event is stored twice in SIGNALS.

What the programs keep:
%s
In this order:
  1. stop the other program, and wait until it has delivered what it read
  2. signal-client integrations add okta <name> --fqdn … --disabled
  3. signal-client import-cursor <name> …
  4. signal-client integrations enable <name>
  5. later: signal-client audit <name> --since <the time that import-cursor printed>

It asks for confirmation; without a terminal it needs --yes.

Examples:
  signal-client import-cursor acme --from elastic /var/lib/filebeat/registry/filebeat
  signal-client import-cursor acme --from logstash "/var/lib/logstash/okta_aHR0cHM6Ly9h…"
  sqlite3 helr.db "SELECT value FROM helr_state WHERE key='next_url'" | signal-client import-cursor acme --link - --since 2h --yes
  signal-client import-cursor acme --since 2026-11-28T08:00:00Z --dry-run`

// New makes the command import-cursor.
func New(p *cli.Program) *cobra.Command {
	c := &command{CommandContext: cli.CommandContext{Program: p}, Confirmation: cli.Confirmation{In: os.Stdin}}
	var keeps strings.Builder
	for _, p := range programs {
		fmt.Fprintf(&keeps, "  %-10s %s\n", p.name, p.keeps)
	}
	cmd := &cobra.Command{
		Use:   "import-cursor <name> [<file>]",
		Short: "Continue where another program stopped polling",
		Long:  fmt.Sprintf(long, keeps.String()),
		Args:  c.arguments,
		RunE:  c.run,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return cli.CompleteInstances(1)(cmd, args, part)
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	cmd.Flags().StringVar(&c.from, "from", "", "the other `program`, whose state the file is: "+strings.Join(programNames(), ", "))
	cmd.Flags().StringVar(&c.link, "link", "", "the next link that the program kept, a `URL`; -: from standard input")
	cmd.Flags().Var(&c.since, "since", "when the newest event that the program delivered was published, or earlier: an age or a time")
	cmd.Flags().BoolVar(&c.json, "json", false, "print one JSON document")
	c.Confirmation.Flags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions(programNames(), cobra.ShellCompDirectiveNoFileComp))
	return c.Connection(cmd)
}

type command struct {
	cli.CommandContext
	cli.Confirmation
	from, link string
	since      cli.TimeFlag
	json       bool
}

// arguments checks that there is one source of the position.
func (c *command) arguments(cmd *cobra.Command, args []string) error {
	try := "signal-client import-cursor <name> --from elastic <file>, or --link <URL>, or --since <time>"
	switch {
	case len(args) == 0:
		return problem.Usage("no integration is named", "the first argument is its name", try)
	case len(args) > 2:
		return cli.NoArgs(cmd, args[2:])
	case len(args) == 2 && c.from == "":
		return problem.Usage("read "+args[1], "--from is missing: it says which program wrote it", "--from "+strings.Join(programNames(), ", "))
	case c.from != "" && c.link != "":
		return problem.Usage("--from and --link", "both name a position", "one of them")
	case c.from == "" && c.link == "" && c.since.IsZero():
		return problem.Usage("no position is named", "it is where the other program stopped", try)
	}
	if c.from == "" {
		return nil
	}
	p, known := programOf(c.from)
	switch {
	case !known:
		return problem.Usage("--from="+c.from, "no such program is known", "--from "+strings.Join(programNames(), ", ")+"; or --link, or --since")
	case p.read == nil:
		return problem.Usage("--from="+p.name, "it keeps its position in memory only", "--since <the time of the newest event that it delivered>")
	case len(args) == 1:
		return problem.Usage("--from="+p.name, "the file is missing", "it keeps "+p.keeps)
	}
	return nil
}

func (c *command) run(cmd *cobra.Command, args []string) error {
	if err := c.Possible("import-cursor"); err != nil {
		return err
	}
	c.Instance = args[0]
	store, done, err := c.Open(cmd)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(cmd.Context(), cli.VisitTime)
	defer cancel()
	i, err := c.Integration(ctx, store)
	if err != nil {
		return err
	}
	from, err := c.handover(i, args[1:])
	if err != nil {
		return err
	}
	o := &signals.Operator{Store: store, Instance: c.Instance, By: cli.Whoami(), Note: "import from " + c.source(args[1:])}
	made, err := o.Import(cmd.Context(), orgs.QueryOf(i, nil), from, func(planned signals.Move) error {
		return c.ask(cmd.Context(), from, planned.Next)
	})
	switch {
	case errors.Is(err, cli.ErrDry):
		return nil
	case errors.Is(err, signals.ErrStarted):
		return &problem.Error{Op: "import the position of " + c.Instance, Err: err, Code: problem.Failed,
			Hint: "it was polled here before: signal-client cursor show " + c.Instance + "; for events that are missing: signal-client backfill start, or signal-client cursor reopen " + c.Instance}
	case err != nil:
		return err
	case c.json:
		return c.print(made.Next, false)
	}
	fmt.Fprintf(c.Err(), "Position %d (%s) is written. Next: signal-client integrations enable %s; later: signal-client audit %s --since %s\n",
		made.Next.Seq, made.Next.Why, c.Instance, c.Instance, made.Next.PublishedMax.Format(time.RFC3339))
	return nil
}

// source returns where the position comes from, for its note.
func (c *command) source(files []string) string {
	switch {
	case c.from != "":
		return c.from + " " + files[0]
	case c.link != "":
		return "a link"
	}
	return "a time"
}

// handover returns where the other program stopped.
func (c *command) handover(i pipeline.Integration, files []string) (signals.Handover, error) {
	s, op, err := state{}, "--link", error(nil)
	switch {
	case c.from != "":
		op = "read the state of " + c.from + " in " + files[0]
		p, _ := programOf(c.from)
		u, _ := url.Parse(i.Origin)
		s, err = p.read(files[0], u.Host)
	case c.link == "-":
		var data []byte
		data, err = io.ReadAll(io.LimitReader(os.Stdin, mostState))
		s.link = strings.TrimSpace(string(data))
	default:
		s.link = c.link
	}
	if err != nil {
		return signals.Handover{}, problem.Usage(op, err.Error(), "--link <URL>, or --since <time of the newest event that it delivered>")
	}
	now := time.Now()
	from := signals.Handover{Newest: s.newest}
	if s.link != "" {
		if i.Kind.Adopt == nil {
			return signals.Handover{}, problem.Usage(op, "links of "+i.Kind.Title+" can't be taken over", "--since <time>")
		}
		var since time.Time
		if from.Link, since, err = i.Kind.Adopt(i, s.link); err != nil {
			return signals.Handover{}, problem.Usage(op, "the link "+err.Error(), "--since <time of the newest event that the program delivered>")
		}
		if from.Newest.IsZero() {
			from.Newest = since // earlier than that event, which is safe
		}
	}
	if !c.since.IsZero() {
		from.Newest = c.since.At(now)
	}
	switch {
	case from.Newest.IsZero():
		return signals.Handover{}, problem.Usage(op, "the link says no time, which is needed should Okta refuse it", "--since <time of the newest event that the program delivered, or earlier>")
	case from.Newest.After(now):
		return signals.Handover{}, problem.Usage(op, "the time "+from.Newest.Format(time.RFC3339)+" is in the future", "--since <time>")
	}
	return from, nil
}

// ask shows what will be written, and asks for confirmation.
func (c *command) ask(ctx context.Context, from signals.Handover, next pipeline.Position) error {
	if c.Dry && c.json {
		if err := c.print(next, true); err != nil {
			return err
		}
		return cli.ErrDry
	}
	to := c.Err()
	if c.Dry {
		to = c.Out()
	}
	line := func(format string, args ...any) { fmt.Fprintln(to, term.Printable(fmt.Sprintf(format, args...))) }
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	if from.Link != "" {
		line("The first request of %s is the one that the other program would have sent next:", c.Instance)
		line("  %s", next.Link)
		line("Should Okta refuse it, polling starts an hour before %s.", at(from.Newest))
	} else {
		line("Polling of %s starts at %s, an hour before the newest event that the other program delivered.", c.Instance, at(next.PublishedMax))
	}
	line("The integration counts as complete from %s on; SIGNALS holds nothing before.", at(next.CompleteThrough))
	if c.Dry {
		return cli.ErrDry
	}
	return c.Confirm(ctx, to, "Write this position?", "imported")
}

// print writes the position as a document.
func (c *command) print(p pipeline.Position, dry bool) error {
	position, err := p.MarshalJSON() // directly: its link stays unescaped
	if err != nil {
		return err
	}
	return term.WriteJSON(c.Out(), struct {
		Instance string          `json:"instance"`
		DryRun   bool            `json:"dry_run"`
		Sequence uint64          `json:"sequence"` // 0: it was not written
		Position json.RawMessage `json:"position"`
	}{c.Instance, dry, p.Seq, position})
}
