package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/seal"
	"github.com/witfoo/signal-client/pipeline"
)

// Secrets configures how the credentials of integrations are kept.
type Secrets struct {
	KeyFile string `envconfig:"SIGNAL_CLIENT_SECRET_KEY_FILE" desc:"file of the XKeys that seal credentials in INTEGRATIONS, one a line: the first seals, all open; signal-client keys new makes it; default beside an embedded server: <data dir>/secret.key, made at the first start"`
	Dir     string `envconfig:"SIGNAL_CLIENT_SECRETS_DIR" desc:"directory below which all files must be that integrations and notifications name, so that a user of the console can name no other file of the service; empty: anywhere"`
}

func (c *Secrets) faults() []error {
	var k problem.Checks
	if c.Dir != "" {
		info, err := os.Stat(c.Dir)
		k.Add(err != nil || !info.IsDir(), "SIGNAL_CLIENT_SECRETS_DIR="+c.Dir, "it is not a directory that this user can read", "SIGNAL_CLIENT_SECRETS_DIR=/run/secrets")
	}
	return k.Errs
}

// Path returns the file of the keys; empty: there is none. own: it is the one beside the
// store of an embedded server, which need not exist.
func (c Secrets) Path(n NATS, s Server) (path string, own bool) {
	if c.KeyFile != "" || !n.Embedded() {
		return c.KeyFile, false
	}
	return filepath.Join(s.DataDir, "secret.key"), true
}

// Open reads the keys for a command. Without those beside the store of an embedded server,
// which another user may own, a command has none: then the service seals what it writes.
func (c Secrets) Open(ctx context.Context, n NATS, s Server) (pipeline.Secrets, error) {
	secrets := pipeline.Secrets{Dir: c.Dir}
	path, own := c.Path(n, s)
	if path == "" {
		return secrets, nil
	}
	keys, err := seal.Open(ctx, path)
	switch {
	case err == nil:
		secrets.Keys = keys
	case own && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)):
	default:
		return secrets, noKeys(path, err)
	}
	return secrets, nil
}

// OpenOwn is Open for the service, whose embedded server is n's, if it has one: it makes
// the file of the keys at its first start. keys is for Look; it is nil if there are none.
//
// A crash here leaves no file or a whole one; nothing was sealed yet without it.
func (c Secrets) OpenOwn(ctx context.Context, n NATS, s Server) (secrets pipeline.Secrets, keys *seal.Keys, err error) {
	secrets.Dir = c.Dir
	path, own := c.Path(n, s)
	if path == "" {
		return secrets, nil, nil
	}
	if own {
		if err := seal.MakeMissing(path); err != nil {
			return secrets, nil, noKeys(path, err)
		}
	}
	found, err := seal.Open(ctx, path)
	if err != nil {
		return secrets, nil, noKeys(path, err)
	}
	secrets.Keys = found
	return secrets, &found, nil
}

func noKeys(path string, err error) error {
	return &problem.Error{Op: "read the keys that seal credentials", Err: fmt.Errorf("%w (SIGNAL_CLIENT_SECRET_KEY_FILE=%s)", err, path),
		Hint: "SIGNAL_CLIENT_SECRET_KEY_FILE=<a file that this user can read>; signal-client keys new makes one", Code: problem.BadUsage}
}
