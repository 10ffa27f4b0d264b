package jetstest

import (
	"fmt"
	"os"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// DocumentedEnv names a nats.conf, by its absolute path. With it, every server of a test
// that says nothing about users has that file's users: what connects with AsService may do
// only what the file grants the service, and what a test does beside the service connects
// by Option as the file's admin.
const DocumentedEnv = "SIGNAL_CLIENT_TEST_PERMISSIONS"

// Users of the file that DocumentedEnv names.
const (
	serviceUser        = "stage"
	documentedPassword = "pw"
)

// documented reports whether a server has the documented users.
func (c Config) documented() bool {
	own := c.Open || c.operator != nil || c.Password != "" || c.LeafPort != 0 || c.LeafOf != ""
	return os.Getenv(DocumentedEnv) != "" && !own
}

// documentedUsers reads the users, once per process: a server's options may be shared.
var documentedUsers = sync.OnceValue(func() []*server.User {
	for _, name := range []string{"STAGE", "CONSOLE", "SIEM", "REPLAY", "ADMIN"} {
		_ = os.Setenv(name+"_PASSWORD", documentedPassword)
	}
	opts, err := server.ProcessConfigFile(os.Getenv(DocumentedEnv))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", DocumentedEnv, err))
	}
	return opts.Users
})

// Documented reports whether the server has the users of DocumentedEnv.
func (s *Server) Documented() bool { return s.config.documented() }

// AsService returns the option of the documented service's user; without DocumentedEnv it
// changes nothing. It comes after Option.
func (s *Server) AsService() nats.Option {
	if !s.config.documented() {
		return func(*nats.Options) error { return nil }
	}
	return nats.UserInfo(serviceUser, documentedPassword)
}

// adminInfo returns the option with the credentials of a user who may do everything.
func (c Config) adminInfo() nats.Option {
	switch {
	case c.documented():
		return nats.UserInfo(adminUser, documentedPassword)
	case c.Deny != "":
		return nats.UserInfo(adminUser, c.Password)
	}
	return c.userInfo()
}
