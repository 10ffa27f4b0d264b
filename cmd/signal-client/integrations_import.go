package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

const integrationsImportLong = `Add many orgs at once, from a CSV file or a JSON document; "-" is standard input.
All of them are checked before any is written.

CSV: a header row, then one org a row. The column instance is the name; the others
are fields as set knows them: fqdn, name, poll_interval, since, filter, limit,
rate_share, link_hosts, enabled, and api_token or api_token_file. An empty cell
leaves the default.

JSON: a list of values as INTEGRATIONS holds them, each with its "instance": what
export prints.

Orgs that are there already are refused unless --replace is given. A token that the
file doesn't have stays as it is stored then. A file with tokens in it should be
readable by nobody else, and be deleted afterwards.

Examples:
  signal-client integrations import orgs.csv --dry-run
  signal-client integrations import orgs.csv
  signal-client integrations export | jq 'map(.poll_interval = "1m")' | signal-client integrations import --replace -`

// candidate is an org that is to be written.
type candidate struct {
	instance string
	place    string // in the file: line 3
	fault    error  // what is wrong with what stands there; nil: it was read
	value    value
	before   jets.Written
}

// label is how the user finds a field of it.
func (c candidate) label(field string) string {
	if field == "instance" {
		return fmt.Sprintf("%s: instance", c.place)
	}
	label := fmt.Sprintf("%s, %s: %s", c.place, c.instance, field)
	if at := c.value.WithoutSecrets().At(field); at != nil && field != "settings" && field != "credentials" {
		label += fmt.Sprintf(" %v", at)
	}
	return label
}

func (r *roster) newImport() *cobra.Command {
	var replace, dry bool
	cmd := &cobra.Command{
		Use:   "import <file>",
		Short: "Add many orgs at once, from CSV or JSON",
		Long:  integrationsImportLong,
		Args:  named(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			candidates, err := r.readCandidates(args[0])
			if err != nil {
				return err
			}
			all, done, err := r.openToWrite(cmd)
			if err != nil {
				return err
			}
			defer done()
			if err := prepare(cmd.Context(), all, candidates, replace); err != nil {
				return err
			}
			return r.write(cmd.Context(), all, candidates, dry)
		},
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "write over orgs that are there already")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "check everything and write nothing")
	return r.flags(cmd)
}

// mostImport is more than any list of orgs takes.
const mostImport = 64 << 20

func (r *roster) readCandidates(path string) ([]candidate, error) {
	from := r.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, &problem{Op: "read " + path, Err: err, Hint: "a CSV or JSON file that this user may read, or - for standard input", Code: exitUsage}
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, mostImport))
	if err != nil {
		return nil, &problem{Op: "read " + path, Err: err, Code: exitUsage, Hint: "try again"}
	}
	return parseCandidates(path, data)
}

// prepare looks at what stands already, and checks every org as the service will.
// All that is wrong is said at once.
func prepare(ctx context.Context, all *jets.Integrations, candidates []candidate, replace bool) error {
	standing := map[string]jets.Written{}
	written, err := all.Written(ctx)
	if err != nil {
		return err
	}
	for _, w := range written {
		standing[w.Instance] = w
	}
	var errs []error
	places := map[string]string{}
	for n := range candidates {
		c := &candidates[n]
		if c.fault != nil {
			errs = append(errs, c.fault)
			continue
		}
		if before, twice := places[c.instance]; twice && c.instance != "" {
			errs = append(errs, wrong(fmt.Sprintf("%s: %s is in the file twice", c.place, c.instance), "it is at "+before+" too", "take one of them out"))
		}
		places[c.instance] = c.place
		c.before = standing[c.instance]
		if c.before.Value != nil && !replace {
			errs = append(errs, wrong(fmt.Sprintf("%s: %s is there already", c.place, c.instance), "an import doesn't write over what stands, unless it is told to", "--replace"))
			continue
		}
		c.keepSecrets()
		i, wrongs := c.value.check(c.instance, c.label)
		if wrongs == nil {
			c.value.Tidy(i)
		}
		errs = append(errs, wrongs...)
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.Join(append(errs, wrong("nothing was written", count(len(errs), "problem")+" above", "correct the file and import it again"))...)
}

// keepSecrets takes over what an export leaves out: the credential that stands, when
// the file has none, and what others keep.
func (c *candidate) keepSecrets() {
	before, err := readValue(c.before.Value)
	if err != nil {
		return // there is none
	}
	if c.value.At(tokenPath) != nil || c.value.At(tokenFilePath) != nil {
		delete(before, "credentials")
	}
	keepSecrets(map[string]any(c.value), map[string]any(before))
}

func (r *roster) write(ctx context.Context, all *jets.Integrations, candidates []candidate, dry bool) error {
	added, replaced, same := 0, 0, 0
	for _, c := range candidates {
		if before, err := readValue(c.before.Value); err == nil && before.Equal(c.value) {
			same++
			continue
		}
		if !dry {
			if err := c.put(ctx, all); err != nil {
				return r.stopped(added+replaced, len(candidates), c, err)
			}
		}
		if c.before.Value == nil {
			added++
		} else {
			replaced++
		}
	}
	word := "Wrote"
	if dry {
		word = "Would write"
	}
	r.say("%s %s: %d added, %d replaced; %d unchanged.", word, count(added+replaced, "integration"), added, replaced, same)
	return nil
}

// put writes an org. A key that was deleted before expects the marker that is left.
func (c candidate) put(ctx context.Context, all *jets.Integrations) error {
	before := c.before
	if before.Value == nil {
		var err error
		if before, err = all.Get(ctx, c.instance); err != nil {
			return err
		}
		if before.Value != nil {
			return pipeline.ErrChanged
		}
	}
	_, err := all.Put(ctx, c.instance, c.value.Encode(), before.Revision)
	return err
}

// stopped says how far an import came.
func (r *roster) stopped(written, of int, c candidate, err error) error {
	if errors.Is(err, context.Canceled) {
		r.say("Interrupted: %d of %d written. Go on with: signal-client integrations import --replace", written, of)
		return err
	}
	p := explain(err)
	p.Op = fmt.Sprintf("import stopped at %s (%s), %d of %d written", c.instance, c.place, written, of)
	p.Err = err
	if written > 0 {
		p.Hint = "import the file again with --replace: what is written already stays as it is"
	}
	return &p
}
