package config

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/search"
)

// leastSearchMemory is what a few queries at a time need.
const leastSearchMemory = 64 << 20

// Remote reports whether a VictoriaLogs outside of this process is configured.
func (c Search) Remote() bool { return strings.Contains(c.Where, "://") }

func (c *Search) faults() []error {
	var k problem.Checks
	k.Add(c.Where != "" && c.Where != search.Embedded && c.Where != search.Off && !c.Remote(), "SIGNAL_CLIENT_SEARCH="+c.Where,
		"it must be embedded, off, or the URL of a VictoriaLogs", "SIGNAL_CLIENT_SEARCH=http://<host>:9428")
	if c.Remote() {
		k.Add(!validSearchURL(c.Where), "SIGNAL_CLIENT_SEARCH="+term.WithoutUser(c.Where),
			"it must be a URL of http or https with a host, without a user, a query or a fragment", "SIGNAL_CLIENT_SEARCH=http://<host>:9428; user and password in SIGNAL_CLIENT_SEARCH_USER and SIGNAL_CLIENT_SEARCH_PASSWORD_FILE")
	}
	k.Add(!c.Remote() && (c.User != "" || c.PasswordFile != ""), "SIGNAL_CLIENT_SEARCH_USER and SIGNAL_CLIENT_SEARCH_PASSWORD_FILE",
		"they are for a VictoriaLogs whose URL is in SIGNAL_CLIENT_SEARCH", "SIGNAL_CLIENT_SEARCH=https://<host>:9428, or unset them")
	k.Add(c.PasswordFile != "" && c.User == "", "SIGNAL_CLIENT_SEARCH_PASSWORD_FILE is set, SIGNAL_CLIENT_SEARCH_USER is not",
		"a password needs a user", "SIGNAL_CLIENT_SEARCH_USER=<user>")
	if c.PasswordFile != "" {
		_, err := c.password()
		k.Add(err != nil, "SIGNAL_CLIENT_SEARCH_PASSWORD_FILE="+c.PasswordFile, fmt.Sprint(err), "SIGNAL_CLIENT_SEARCH_PASSWORD_FILE=<a file that this user can read>")
	}
	k.Add(c.Memory < leastSearchMemory, fmt.Sprintf("SIGNAL_CLIENT_SEARCH_MEMORY=%d", c.Memory),
		"a search needs more than that; use at least 64MiB", "SIGNAL_CLIENT_SEARCH_MEMORY=256MiB")
	k.Add(c.Retention < Duration(24*time.Hour), fmt.Sprintf("SIGNAL_CLIENT_SEARCH_RETENTION=%s", c.Retention),
		"the index keeps whole days; use at least 1d", "SIGNAL_CLIENT_SEARCH_RETENTION=90d")
	return k.Errs
}

func validSearchURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// password returns the password for a remote index.
func (c Search) password() (pipeline.Secret, error) {
	if c.PasswordFile == "" {
		return pipeline.Secret{}, nil
	}
	text, err := pipeline.ReadFile(context.Background(), c.PasswordFile, 1<<20)
	if err != nil {
		return pipeline.Secret{}, fmt.Errorf("read the index's password: %w", err)
	}
	return pipeline.NewSecret(strings.TrimSpace(string(text))), nil
}

// Index returns the configuration of the search index. command starts its child process.
func (c Config) Index(command []string) (search.Config, error) {
	password, err := c.Search.password()
	if err != nil {
		return search.Config{}, err
	}
	mode := c.Search.Where
	switch {
	case mode == "" && c.ServesConsole():
		mode = search.Embedded
	case mode == "":
		mode = search.Off
	}
	return search.Config{
		Mode: strings.TrimSuffix(mode, "/"), User: c.Search.User, Password: password, Dir: filepath.Join(c.Server.DataDir, "search"),
		Memory: int64(c.Search.Memory), Retention: time.Duration(c.Search.Retention), Command: command,
	}, nil
}
