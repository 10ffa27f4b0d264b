// Package jetstest runs real nats-servers for tests: in the test's process, inside a
// synctest bubble or not, and as child processes that can be killed.
//
// A package that uses it has a TestMain:
//
//	func TestMain(m *testing.M) { jetstest.Main(m) }
//
// Inside a bubble: no listening, no child processes, and no concurrent bubbles
// (t.Parallel), because nats.go pools timers, which panic in another bubble. Run empties
// the pool, so start a bubble's server before anything connects; see ForgetTimers.
//
// It does not simulate a loss of power: a killed process leaves the page cache intact. A
// store rolled back to a copy comes closest.
package jetstest

import (
	"os"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"
)

// Main runs a package's tests. Call it from TestMain.
func Main(m *testing.M) {
	Setup()
	os.Exit(m.Run())
}

// Setup is what Main does before the tests, for a TestMain that runs them itself. It does
// not return in a process that was started as a server.
func Setup() {
	if config := os.Getenv(childEnv); config != "" {
		os.Exit(serve(config))
	}
	// The server's access clock ticks in the bubble that first needs it, and a bubble
	// with such a clock never becomes idle.
	ats.Register()
}

// Config is the configuration of a test's server. The zero value is a server with
// JetStream on file in a new directory.
type Config struct {
	Dir        string // of the store; empty: a new one, in memory if the system allows that
	Name       string // empty: the server's choice
	Listen     bool   // on a loopback port, the same after a restart; a Process always does
	Port       int    // to listen on; 0: a free one
	SyncAlways bool   // fsync before every ack
	Password   string // of the user "test"; empty: none
	MaxPayload int32  // bytes; default 8 MiB
	MaxStore   int64  // bytes; default 4 GiB
	Domain     string // of JetStream
	Open       bool   // without users, even with DocumentedEnv; a Process always is
	Deny       string // subject that clients may not publish to, save by Admin; empty: none; requires Password
	// Account changes what the clients' account may do, which is nothing but JetStream
	// without limits: the server then trusts an operator, and the clients have the
	// account's JWTs. nil: the server has no operator. A Process can't have one.
	Account    func(*jwt.AccountClaims) `json:"-"`
	operator   *operator                // of Account
	Limits     server.JSLimitOpts
	MaxWaiting int // messages that may wait for a stream before more are dropped; default the server's

	ClusterPort int    // routes of a cluster; 0: a single server
	Routes      string // comma separated

	LeafPort int      // listens for leaf nodes; 0: it does not
	LeafOf   string   // URL of the hub whose leaf node this server is; empty: none
	LeafDeny []string // subjects that do not cross the line to the hub
}

func (c Config) withDefaults(t testing.TB) Config {
	if c.Dir == "" {
		c.Dir = TempDir(t)
	}
	if c.Listen && c.Port == 0 {
		c.Port = freePort(t)
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = 8 << 20
	}
	if c.MaxStore == 0 {
		c.MaxStore = 4 << 30
	}
	if c.Account != nil {
		c.operator = newOperator(t, c.Account)
	}
	return c
}

func (c Config) options() *server.Options {
	opts := &server.Options{
		ServerName: c.Name, StoreDir: c.Dir, JetStream: true,
		Host: "127.0.0.1", Port: c.Port, DontListen: !c.Listen,
		NoSigs: true, NoLog: true, DisableJetStreamBanner: true,
		SyncAlways: c.SyncAlways, MaxPayload: c.MaxPayload,
		JetStreamMaxStore: c.MaxStore, JetStreamMaxMemory: 256 << 20, JetStreamLimits: c.Limits,
		JetStreamDomain: c.Domain, StreamMaxBufferedMsgs: c.MaxWaiting,
	}
	if c.Password != "" {
		opts.Username, opts.Password = "test", c.Password
	}
	if c.Deny != "" {
		opts.Username, opts.Password = "", ""
		opts.Users = []*server.User{{Username: "test", Password: c.Password, Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{c.Deny}},
		}}, {Username: adminUser, Password: c.Password}}
	}
	switch {
	case c.operator != nil:
		c.operator.configure(opts)
	case c.documented():
		opts.Users = documentedUsers()
	}
	if c.ClusterPort != 0 {
		opts.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: c.ClusterPort, PoolSize: -1,
			Advertise: "127.0.0.1:1"} // nobody connects there: the others are reached by Routes
		opts.Routes = server.RoutesFromStr(c.Routes)
	}
	if c.LeafPort != 0 {
		opts.LeafNode.Host, opts.LeafNode.Port = "127.0.0.1", c.LeafPort
	}
	if c.LeafOf != "" {
		opts.LeafNode.ReconnectInterval = 50 * time.Millisecond
		opts.LeafNode.Remotes = []*server.RemoteLeafOpts{{
			URLs: server.RoutesFromStr(c.LeafOf), DenyImports: c.LeafDeny, DenyExports: c.LeafDeny,
		}}
	}
	return opts
}

// adminUser is the user of Admin.
const adminUser = "admin"

// userInfo returns the option with the server's credentials.
func (c Config) userInfo() nats.Option {
	if c.operator != nil {
		return nats.UserJWTAndSeed(c.operator.user, c.operator.seed)
	}
	if c.documented() {
		return nats.UserInfo(adminUser, documentedPassword)
	}
	if c.Password == "" {
		return func(*nats.Options) error { return nil }
	}
	return nats.UserInfo("test", c.Password)
}

// connect connects as the program does, but reconnects quickly.
func connect(t testing.TB, urls string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(urls, append([]nats.Option{
		nats.Name(t.Name()),
		nats.ReconnectBufSize(-1), nats.MaxReconnects(-1),
		nats.ReconnectWait(50 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.Timeout(30 * time.Second), // a busy machine
	}, opts...)...)
	if err != nil {
		t.Fatalf("connect to the test's server: %v", err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// TempDir is t.TempDir, in memory if there is room: servers sync their stores to disk at
// every batch, which proves nothing in tests that kill no machine, and is slow on a busy
// disk.
func TempDir(t testing.TB) string {
	const memory, room = "/dev/shm", 2 << 30 // a container's is often of 64 MB
	var fs unix.Statfs_t
	if unix.Statfs(memory, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "jetstest-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
