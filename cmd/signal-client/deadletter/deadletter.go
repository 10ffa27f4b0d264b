package deadletter

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/deadletters"
	"github.com/witfoo/signal-client/sink/jets"
)

const deadletterLong = `Show elements that Okta served and that could not be stored as events: the stream
DEADLETTER.

Reasons:
  not_an_object  the element of the page is not a JSON object
  no_uuid        it has no uuid, or one that is not printable text
  too_large      it is larger than the NATS server accepts; its end may be cut off
  too_deep       it nests deeper than 10,000 levels, which readers of JSON refuse
  conflicting_repeat
                 an earlier event has its uuid, but other bytes; that one is stored

Examples:
  signal-client deadletter list
  signal-client deadletter show 12
  signal-client deadletter requeue 12
  signal-client deadletter purge --instance acme --older-than 30d`

// New makes the command deadletter.
func New(p *cli.Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "deadletter",
		Aliases: []string{"deadletters", "dlq"},
		Short:   "Show what could not be stored, and requeue or delete it",
		Long:    deadletterLong,
	}
	cmd.AddCommand(newDeadletterList(p), newDeadletterShow(p), newDeadletterRequeue(p), newDeadletterPurge(p))
	return cmd
}

type deadLetterCommand struct {
	cli.CommandContext
	reason string
	json   bool
	dryRun bool // for requeue
}

// choose adds the flags that select dead letters.
func (l *deadLetterCommand) choose(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.reason, "reason", "", "only with this `reason`: "+strings.Join(reasons(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(reasons(), cobra.ShellCompDirectiveNoFileComp))
}

func reasons() []string {
	var all []string
	for _, f := range pipeline.Flaws {
		all = append(all, string(f))
	}
	return all
}

// fault returns the problem of an unknown reason.
func (l *deadLetterCommand) fault() error {
	if l.reason == "" || slices.Contains(reasons(), l.reason) {
		return nil
	}
	return problem.Usage("--reason="+l.reason, "it must be one of "+strings.Join(reasons(), ", "), "--reason="+cmp.Or(problem.Nearest(l.reason, reasons()), reasons()[0]))
}

func (l *deadLetterCommand) deadLetters(cmd *cobra.Command) (*deadletters.DeadLetters, func(), error) {
	if err := l.fault(); err != nil {
		return nil, nil, err
	}
	store, done, err := l.Connect(cmd)
	return &deadletters.DeadLetters{Store: store}, done, err
}

// sequences parses the arguments.
func sequences(args []string) ([]uint64, error) {
	seqs := make([]uint64, len(args))
	for i, arg := range args {
		seq, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || seq == 0 {
			return nil, problem.Usage(fmt.Sprintf("%q is not a sequence", arg), "dead letters are identified by their sequence in DEADLETTER", "signal-client deadletter list")
		}
		seqs[i] = seq
	}
	return seqs, nil
}

// missing adds to the error of a missing dead letter what to do about it.
func missing(seq uint64, err error) error {
	if !errors.Is(err, jets.ErrNoMessage) {
		return err
	}
	return &problem.Error{Op: fmt.Sprintf("no dead letter %d", seq), Err: errors.New(jets.StreamDeadLetter + " has none at that sequence"),
		Hint: "signal-client deadletter list", Code: problem.Failed}
}

// document is a dead letter in JSON output.
type document struct {
	Sequence   uint64    `json:"sequence"`
	Time       time.Time `json:"time"`
	Instance   string    `json:"instance"`
	Reason     string    `json:"reason"`
	Size       int       `json:"size"` // bytes of the element
	Kept       int       `json:"kept"` // bytes that are kept
	Cut        bool      `json:"cut"`
	Link       string    `json:"link"`
	FirstBytes string    `json:"first_bytes,omitempty"`

	Data       *string `json:"data,omitempty"`        // the bytes, if they are UTF-8
	DataBase64 string  `json:"data_base64,omitempty"` // if they are not
}

func documentOf(l deadletters.DeadLetter) document {
	return document{Sequence: l.Seq, Time: l.Time, Instance: l.Instance, Reason: string(l.Reason),
		Size: l.Size, Kept: l.Kept, Cut: l.Cut(), Link: string(l.Link)}
}

// firstBytes is how much of a dead letter a list shows.
const firstBytes = 60

func beginning(data []byte) string {
	return term.Printable(strings.ToValidUTF8(string(data[:min(len(data), firstBytes)]), "\uFFFD"))
}

const deadletterShowLong = `Show one dead letter: its facts and its bytes, with terminal control characters
escaped. --raw writes only the bytes, unchanged.

Examples:
  signal-client deadletter show 12
  signal-client deadletter show 12 --raw > element.json`

func newDeadletterShow(p *cli.Program) *cobra.Command {
	l := &deadLetterCommand{CommandContext: cli.CommandContext{Program: p}}
	var raw bool
	cmd := &cobra.Command{
		Use:   "show <sequence>",
		Short: "Show one, with its bytes",
		Long:  deadletterShowLong,
		Args:  cli.Named(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return l.show(cmd, args, raw) },
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "write only the bytes")
	cmd.Flags().BoolVar(&l.json, "json", false, "print one JSON document")
	return l.Connection(cmd)
}

func (l *deadLetterCommand) show(cmd *cobra.Command, args []string, raw bool) error {
	seqs, err := sequences(args)
	if err != nil {
		return err
	}
	all, done, err := l.deadLetters(cmd)
	if err != nil {
		return err
	}
	defer done()
	letter, err := all.Get(cmd.Context(), seqs[0])
	switch {
	case err != nil:
		return missing(seqs[0], err)
	case raw:
		_, err := l.Out().Write(letter.Data)
		return err
	case l.json:
		doc := documentOf(letter)
		if text := string(letter.Data); utf8.Valid(letter.Data) {
			doc.Data = &text
		} else {
			doc.DataBase64 = base64.StdEncoding.EncodeToString(letter.Data)
		}
		return term.WriteJSON(l.Out(), doc)
	}
	return l.print(letter)
}

// shownBytes is how much of a dead letter is printed.
const shownBytes = 4 << 10

func (l *deadLetterCommand) print(letter deadletters.DeadLetter) error {
	out := l.Out()
	g := term.Grid{Title: fmt.Sprintf("dead letter %d", letter.Seq), Header: []string{"field", "value"}}
	add := func(name string, v any) { g.Rows = append(g.Rows, []any{name, v}) }
	add("sequence", letter.Seq)
	add("time", term.When(letter.Time, time.Now(), out.Terminal))
	add("instance", letter.Instance)
	add("reason", inFull(letter))
	add("size", sizeOf(letter))
	add("link", string(letter.Link))
	if err := g.Print(out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	text := strings.ToValidUTF8(string(letter.Data[:min(len(letter.Data), shownBytes)]), "\uFFFD")
	fmt.Fprintln(out, term.Printable(text))
	if len(letter.Data) > shownBytes {
		fmt.Fprintf(l.Err(), "These are the first %s of %s bytes; for all: signal-client deadletter show %d --raw\n", term.Number(shownBytes), term.Number(uint64(letter.Kept)), letter.Seq)
	}
	return nil
}

func inFull(l deadletters.DeadLetter) string {
	meaning := map[pipeline.Flaw]string{
		pipeline.FlawNotObject: "the element is not a JSON object",
		pipeline.FlawNoUUID:    "it has no uuid, or one that is not printable text",
		pipeline.FlawTooLarge:  "it is larger than the server accepted",
		pipeline.FlawTooDeep:   "it nests deeper than readers of JSON take",
		pipeline.FlawConflict:  "an earlier event has its uuid, but other bytes",
	}[l.Reason]
	if meaning == "" {
		return string(l.Reason)
	}
	return fmt.Sprintf("%s: %s", l.Reason, meaning)
}

func sizeOf(l deadletters.DeadLetter) string {
	if l.Cut() {
		return fmt.Sprintf("%s bytes; the first %s are kept", term.Number(uint64(l.Size)), term.Number(uint64(l.Kept)))
	}
	return term.Number(uint64(l.Size)) + " bytes, all of them kept"
}
