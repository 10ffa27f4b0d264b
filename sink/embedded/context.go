package embedded

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/witfoo/signal-client/pipeline"
)

// ContextName is the file in the store's directory with which clients on this machine
// connect: a context of the nats command, for which NATS_CONTEXT and --context take a path
// (nats-io/natscli, cli/util.go, read 2026-11-28). Only the owner may read it.
const ContextName = "nats-context.json"

// Login is what a client connects with.
type Login struct {
	URL      string
	User     string
	Password pipeline.Secret
}

// contextFile is what ContextName holds.
type contextFile struct {
	Description string `json:"description"`
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
}

// ErrContext: ContextName holds no login.
var ErrContext = errors.New("no context with user and password")

// ReadLogin reads ContextName in a store's directory: ErrContext, or fs.ErrNotExist if no
// server with a password of its own has run there.
func ReadLogin(dir string) (Login, error) {
	data, err := os.ReadFile(filepath.Join(dir, ContextName))
	if err != nil {
		return Login{}, err
	}
	var c contextFile
	if json.Unmarshal(data, &c) != nil || c.User == "" || c.Password == "" {
		return Login{}, fmt.Errorf("%s: %w", filepath.Join(dir, ContextName), ErrContext)
	}
	return Login{c.URL, c.User, pipeline.NewSecret(c.Password)}, nil
}

// login returns the login that the directory holds, or a new one.
func login(dir string) (Login, error) {
	l, err := ReadLogin(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Login{User: defaultUser, Password: pipeline.NewSecret(rand.Text())}, nil
	}
	return l, err
}

// keepLogin writes the login to its file. When that fails, as on a full disk, the server
// works without, other clients can't connect, and the watch tries again.
func (s *Server) keepLogin() {
	if s.unkept == nil {
		return
	}
	err := s.unkept.write(s.config.Dir)
	switch {
	case err == nil:
		s.unkept = nil
	case !s.toldUnkept:
		s.config.Log.Warn("nats: the password can't be stored, so other clients can't connect yet", "err", err)
	}
	s.toldUnkept = err != nil
}

// write replaces the file, unless it says the same already. After a crash before the
// rename the next start makes another password, which no client has used yet.
func (l Login) write(dir string) error {
	if old, err := ReadLogin(dir); err == nil && old == l {
		return nil
	}
	data, err := json.MarshalIndent(contextFile{"the embedded NATS server of signal-client", l.URL, l.User, l.Password.Reveal()}, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ContextName+"-*") // only the owner may read it
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // when the rename fails
	_, err = f.Write(append(data, '\n'))
	if err = cmp.Or(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, ContextName))
}
