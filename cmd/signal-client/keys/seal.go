package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/seal"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

const sealLong = `Seal what INTEGRATIONS holds in plain, in place, with the first key of
SIGNAL_CLIENT_SECRET_KEY_FILE; seal again what a former key has sealed; and remove former
values that hold a plain credential. Polling goes on undisturbed, and nothing that
somebody else writes meanwhile is overwritten. What was in plain may still be in backups:
after a leak, make new tokens.

Examples:
  signal-client keys seal --dry-run
  signal-client keys seal
  signal-client keys seal --json | jq '.[] | select(.result == "plain")'`

func newSeal(p *cli.Program) *cobra.Command {
	d := &cli.CommandContext{Program: p}
	var s sealer
	cmd := &cobra.Command{
		Use:   "seal",
		Short: "Seal what is plain in INTEGRATIONS",
		Long:  sealLong,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, done, err := d.Connect(cmd)
			if err != nil {
				return err
			}
			defer done()
			if store.Secrets.Keys == nil {
				return noKey(d)
			}
			return s.run(cmd.Context(), p, store)
		},
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&s.dry, "dry-run", false, "say what would be done and write nothing")
	return d.Connection(cmd)
}

const rotateLong = `Put a new key before the others of SIGNAL_CLIENT_SECRET_KEY_FILE, and seal again with it
what INTEGRATIONS holds. Former keys stay in the file, and open what they have sealed.
Services that have the file read it again by themselves.

Where processes have copies of the file, write the key first, copy the file to each of
them, and then seal: otherwise a process can't open what is sealed until it has the copy.

Examples:
  signal-client keys rotate
  signal-client keys rotate --no-seal && scp secret.key other:/etc/signal-client/ && signal-client keys seal`

func newRotate(p *cli.Program) *cobra.Command {
	d := &cli.CommandContext{Program: p}
	var s sealer
	var later bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the key that seals credentials, and seal them again",
		Long:  rotateLong,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, done, err := d.Connect(cmd)
			if err != nil {
				return err
			}
			defer done()
			keys, ok := store.Secrets.Keys.(seal.Keys)
			if !ok {
				return noKey(d)
			}
			if err := seal.Rotate(cmd.Context(), keys.Path()); err != nil {
				return &problem.Error{Op: "put a new key into " + keys.Path(), Err: err, Code: problem.Failed, Hint: "run this as a user who can write the file and its directory; where it is a mounted secret, change it at its source"}
			}
			// A crash from here on leaves values that former keys have sealed. They are opened
			// all the same, and keys seal seals them again.
			if _, err := keys.Look(cmd.Context()); err != nil {
				return err
			}
			p.Say("Wrote the key %s to %s, before the former ones.", keys.Public()[0], keys.Path())
			if later {
				p.Say("Copy the file to each process that has its own, and then: signal-client keys seal")
				return nil
			}
			return s.run(cmd.Context(), p, store)
		},
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&later, "no-seal", false, "write the key only; seal later with: signal-client keys seal")
	return d.Connection(cmd)
}

// noKey returns the error of a command that needs a key.
func noKey(d *cli.CommandContext) error {
	err := errors.New("SIGNAL_CLIENT_SECRET_KEY_FILE is not set")
	if path := d.OwnKeyFile(); path != "" {
		err = fmt.Errorf("%s does not exist, or this user can't read it", path)
	}
	return &problem.Error{Op: "seal credentials", Err: err, Code: problem.BadUsage,
		Hint: "signal-client keys new --out <file>, and SIGNAL_CLIENT_SECRET_KEY_FILE=<file> here and for the service; beside an embedded server, run this in the service's directory as its user"}
}

// sealer seals all that INTEGRATIONS holds.
type sealer struct {
	dry, json bool
	all       *buckets.Integrations
}

func (s *sealer) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.json, "json", false, "print one JSON document")
}

// Results of sealing a value.
const (
	resultSealed  = "sealed"    // it was plain
	resultAgain   = "resealed"  // a former key had sealed it
	resultCleaned = "cleaned"   // former values with plain credentials were removed
	resultAlready = "unchanged" // it is sealed with the first key, or has no secret
	resultPlain   = "plain"     // it could not be sealed: see Why
	resultShut    = "shut"      // no key here opens it: see Why
)

// result is what becomes of a value.
type result struct {
	Instance string `json:"instance"`
	Result   string `json:"result"`
	Why      string `json:"why,omitempty"`
}

func (s *sealer) run(ctx context.Context, p *cli.Program, store *jets.Store) error {
	s.all = &buckets.Integrations{Store: store}
	results, err := s.each(ctx)
	if err != nil {
		return err
	}
	if s.json {
		err = term.WriteJSON(p.Out(), results)
	} else {
		s.tell(p, results)
	}
	return cmp.Or(err, fault(results))
}

// each seals value by value.
func (s *sealer) each(ctx context.Context) ([]result, error) {
	written, err := s.all.Written(ctx)
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return nil, err
	}
	former, err := s.all.FormerPlain(ctx)
	if err != nil {
		return nil, err
	}
	results := []result{} // [] rather than null
	stale := map[string]bool{}
	for _, instance := range former {
		stale[instance] = true
	}
	for _, w := range written {
		r, err := s.one(ctx, w, stale[w.Instance])
		if err != nil {
			return nil, err
		}
		results = append(results, r)
		delete(stale, w.Instance)
	}
	for _, instance := range former {
		if !stale[instance] {
			continue
		}
		if err := s.forget(ctx, instance); err != nil {
			return nil, err
		}
		results = append(results, result{instance, resultCleaned, "it was deleted"})
	}
	return results, nil
}

// mostTries is how often a value is sealed that somebody else changes.
const mostTries = 5

// one seals a value. stale: the bucket keeps former values with a plain credential.
func (s *sealer) one(ctx context.Context, w buckets.Written, stale bool) (result, error) {
	for try := 1; ; try++ {
		r := judge(w, stale)
		if s.dry || r.Result != resultSealed && r.Result != resultAgain && r.Result != resultCleaned {
			return r, nil
		}
		err := s.all.Seal(ctx, w)
		if !errors.Is(err, pipeline.ErrChanged) || try == mostTries {
			return r, err
		}
		instance := w.Instance
		if w, err = s.all.Get(ctx, instance); err != nil || w.Value == nil {
			return result{instance, resultAlready, "it was removed meanwhile"}, err
		}
	}
}

// judge says what is to be done with a value.
func judge(w buckets.Written, stale bool) result {
	r := result{Instance: w.Instance, Result: resultAlready}
	_, invalid := w.Read()
	switch {
	case w.Sealing == buckets.SealPlain && w.Shut != "":
		r.Result, r.Why = resultPlain, "it is beside what can't be opened: "+w.Shut
	case w.Sealing == buckets.SealPlain && invalid != nil:
		r.Result, r.Why = resultPlain, "the value is invalid: "+invalid.Error()
	case w.Sealing == buckets.SealPlain:
		r.Result = resultSealed
	case w.Sealing == buckets.SealShut:
		r.Result, r.Why = resultShut, w.Shut
	case w.Sealing == buckets.SealOther:
		r.Result = resultAgain
	case stale:
		r.Result = resultCleaned
	}
	return r
}

// forget removes the former values of a deleted instance.
func (s *sealer) forget(ctx context.Context, instance string) error {
	w, err := s.all.Get(ctx, instance)
	if err != nil || s.dry || w.Value != nil { // it was added again: the next run looks at it
		return err
	}
	err = s.all.Of(w.Kind).Delete(ctx, instance, w.Revision)
	if errors.Is(err, pipeline.ErrChanged) {
		return nil
	}
	return err
}

// tell prints what was done, and whether the former keys are needed.
func (s *sealer) tell(p *cli.Program, results []result) {
	count := map[string]int{}
	for _, r := range results {
		count[r.Result]++
		if r.Why != "" {
			p.Say("%s: %s: %s", r.Instance, r.Result, r.Why)
		}
	}
	word := ""
	if s.dry {
		word = "would be "
	}
	p.Say("Of %s: %d %ssealed, %d %ssealed again, former values of %d %sremoved; %d unchanged.", term.Count(len(results), "integration"),
		count[resultSealed], word, count[resultAgain], word, count[resultCleaned], word, count[resultAlready])
	keys, ok := s.all.Store.Secrets.Keys.(seal.Keys)
	switch {
	case !ok || len(keys.Public()) < 2 || s.dry:
	case count[resultPlain]+count[resultShut] > 0:
		p.Say("Keep the former keys in %s until everything can be opened and is sealed again.", keys.Path())
	default:
		p.Say("Nothing needs the former keys any more. When each process has this file, remove all lines but the first from %s.", keys.Path())
	}
}

// fault returns the error of credentials that stay plain or can't be opened; nil: there are
// none.
func fault(results []result) error {
	n := 0
	for _, r := range results {
		if r.Result == resultPlain || r.Result == resultShut {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return &problem.Error{Op: "seal every credential", Err: fmt.Errorf("%s as it was", term.Count(n, "integration")+" stays"), Code: problem.Failed,
		Hint: "correct the value, or set the credential again: signal-client integrations set <name> --token-from <file>"}
}
