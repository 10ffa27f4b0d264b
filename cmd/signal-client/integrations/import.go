package integrations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/buckets"
)

const integrationsImportLong = `Add many orgs at once, from a CSV file or a JSON document; "-" is standard input.
All of them are checked before any is written.

CSV: a header row, then one org per row. The column instance is the name; the others
are the fields of set: fqdn, name, poll_interval, since, filter, limit, rate_share,
link_hosts, proxy, ca_file, enabled, and api_token or api_token_file. An empty cell means the default.

JSON: a list of values as in INTEGRATIONS, each with its "instance": the output of
export.

Existing orgs are refused unless --replace is given; then a token that the file does
not have stays as it is stored. A file with tokens should be readable by nobody else,
and be deleted afterwards.

Examples:
  signal-client integrations import orgs.csv --dry-run
  signal-client integrations import orgs.csv
  signal-client integrations export | jq 'map(.poll_interval = "1m")' | signal-client integrations import --replace -`

func (r *integrations) newImport() *cobra.Command {
	var replace, dry bool
	cmd := &cobra.Command{
		Use:   "import <file>",
		Short: "Add many orgs at once, from CSV or JSON",
		Long:  integrationsImportLong,
		Args:  cli.Named(1),
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
			if err := orgs.Prepare(cmd.Context(), all, candidates, replace); err != nil {
				return err
			}
			return r.write(cmd.Context(), all, candidates, dry)
		},
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "overwrite existing orgs")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "check everything and write nothing")
	return r.flags(cmd)
}

// mostImport is larger than any list of orgs.
const mostImport = 64 << 20

func (r *integrations) readCandidates(path string) ([]orgs.Candidate, error) {
	from := r.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, &problem.Error{Op: "read " + path, Err: err, Hint: "use a CSV or JSON file that this user can read, or - for standard input", Code: problem.BadUsage}
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, mostImport))
	if err != nil {
		return nil, &problem.Error{Op: "read " + path, Err: err, Code: problem.BadUsage, Hint: "try again"}
	}
	return orgs.ParseCandidates(path, data)
}

func (r *integrations) write(ctx context.Context, all *buckets.Integrations, candidates []orgs.Candidate, dry bool) error {
	added, replaced, same := 0, 0, 0
	by := author()
	for _, c := range candidates {
		if before, err := orgs.ReadValue(c.Before.Value); err == nil && before.Equal(c.Value) {
			same++
			continue
		}
		if !dry {
			if err := c.Put(ctx, all, by); r.unless(err) != nil {
				return r.stopped(added+replaced, len(candidates), c, err)
			}
		}
		if c.Before.Value == nil {
			added++
		} else {
			replaced++
		}
	}
	word := "Wrote"
	if dry {
		word = "Would write"
	}
	r.Say("%s %s: %d added, %d replaced; %d unchanged.", word, term.Count(added+replaced, "integration"), added, replaced, same)
	return nil
}

// stopped reports how far an import has come.
func (r *integrations) stopped(written, of int, c orgs.Candidate, err error) error {
	if errors.Is(err, context.Canceled) {
		r.Say("Interrupted: %d of %d written. Continue with: signal-client integrations import --replace", written, of)
		return err
	}
	p := problem.Of(err)
	p.Op = fmt.Sprintf("import stopped at %s (%s), %d of %d written", c.Instance, c.Place, written, of)
	p.Err = err
	if written > 0 {
		p.Hint = "import the file again with --replace: orgs that are written already stay unchanged"
	}
	return &p
}
