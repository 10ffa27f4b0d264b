package keys

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/seal"
)

const newLong = `Make the key that seals credentials in INTEGRATIONS (an XKey of NATS), in a file that
only you can read; an existing file is never overwritten. Beside an embedded server the
service makes it by itself.

Each process that polls, serves the console or changes integrations needs the file:
SIGNAL_CLIENT_SECRET_KEY_FILE. Keep a copy of it, apart from backups of NATS: without it
the sealed credentials are lost.

Examples:
  signal-client keys new --out /etc/signal-client/secret.key
  SIGNAL_CLIENT_SECRET_KEY_FILE=/etc/signal-client/secret.key signal-client keys seal`

func newNew(p *cli.Program) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make the key that seals credentials",
		Long:  newLong,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var c config.Secrets
			if err := config.Load(cmd, &c); err != nil {
				return err
			}
			path, err := filepath.Abs(cmp.Or(out, c.KeyFile, "secret.key"))
			if err != nil {
				return err
			}
			err = seal.Make(path)
			if errors.Is(err, fs.ErrExist) {
				return &problem.Error{Op: "write the key to " + path, Err: errors.New("the file exists, and a key is never overwritten"),
					Hint: "--out <another file>; to put another key before it: signal-client keys rotate", Code: problem.Failed}
			}
			if err != nil {
				return &problem.Error{Op: "write the key", Err: err, Hint: "--out <a file that can be written>", Code: problem.Failed}
			}
			keys, err := seal.Open(cmd.Context(), path)
			if err != nil {
				return err
			}
			p.Say("Wrote the key %s to %s. Give the file to each process, and keep a copy of it:\n  SIGNAL_CLIENT_SECRET_KEY_FILE=%s\nThe service seals what it finds; to seal it now: signal-client keys seal", keys, path, path)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`file` for the key (default: SIGNAL_CLIENT_SECRET_KEY_FILE, else secret.key)")
	_ = cmd.MarkFlagFilename("out")
	return cmd
}
