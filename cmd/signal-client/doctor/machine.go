package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/dustin/go-humanize"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/embedded"
)

// machineChecks returns the checks of this machine: the embedded store's disk, if it is
// used, and the limits of a process.
func (s *surroundings) machineChecks() []check {
	return []check{
		one(groupMachine, "embedded store", s.store),
		one(groupMachine, "disk", s.disk),
		one(groupMachine, "open files", openFiles),
		one(groupMachine, "key file", s.keyFile),
		one(groupMachine, "settings", s.settings),
	}
}

func (s *surroundings) settings(_ context.Context, d *observation) {
	c := config.Config{NATS: s.nats, Server: s.server, Okta: s.okta, Console: s.consoleSettings}
	for _, u := range c.UnusedSettings(nil) {
		if u.Setting == "OKTA_API_TOKEN_FILE" && slices.ContainsFunc(s.orgs(), func(o org) bool { return o.theirs }) {
			continue // the token of an org in a service's environment
		}
		d.warn(fmt.Sprintf("%s has no effect: %s", u.Setting, u.Why), u.Try)
	}
	d.fact("every variable in this command's environment is used")
}

func (s *surroundings) store(_ context.Context, d *observation) {
	if !s.nats.Embedded() {
		d.skip("NATS_URL or NATS_CONTEXT names a server: the embedded one is not used")
		return
	}
	dir, _ := filepath.Abs(s.server.DataDir)
	info, err := os.Stat(filepath.Join(dir, "jetstream"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.conn != nil:
		d.warn(fmt.Sprintf("%s has no store, though a server answers at %s: its store is elsewhere", dir, s.dial.Where), "SIGNAL_CLIENT_DATA_DIR=<the service's>")
	case errors.Is(err, fs.ErrNotExist):
		d.warn(dir+" has no store yet", "signal-client run creates it; set SIGNAL_CLIENT_DATA_DIR if it is elsewhere")
	case err != nil:
		d.wrong(err.Error(), "run doctor as the service's user")
	case !info.IsDir():
		d.wrong(dir+"/jetstream is not a directory", "SIGNAL_CLIENT_DATA_DIR=<the service's>")
	default:
		d.fact("%s", dir)
	}
	s.login(d)
}

// login tells how clients on this machine connect to the embedded server.
func (s *surroundings) login(d *observation) {
	if s.server.NoPassword() {
		d.warn("the server asks for no password: every user of this machine may read tokens and events", "unset SIGNAL_CLIENT_NATS_PASSWORD")
	}
	path := s.server.ContextPath()
	if _, err := os.Stat(path); path != "" && err == nil {
		d.fact("to watch events: %s", s.server.Watch())
	}
}

// lowDisk is the room that a store should have, for a large org's events of a day.
const lowDisk = 5 << 30

func (s *surroundings) disk(_ context.Context, d *observation) {
	if !s.nats.Embedded() {
		d.skip("the embedded server is not used; other servers' disks show in the account's limits")
		return
	}
	dir, _ := filepath.Abs(s.server.DataDir)
	for _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir); _, err = os.Stat(dir) {
		dir = filepath.Dir(dir) // where it will be created
	}
	room, err := embedded.RoomOf(dir)
	if err != nil || room.Total == 0 {
		d.skip(fmt.Sprintf("room left at %s: %v", dir, err))
		return
	}
	text := fmt.Sprintf("%s of %s left at %s", humanize.IBytes(room.Free), humanize.IBytes(room.Total), dir)
	const remedy = "free some space, or bound the stream: SIGNAL_CLIENT_STREAM_MAX_BYTES, SIGNAL_CLIENT_STREAM_MAX_AGE"
	switch {
	case room.Left() == 0:
		d.wrong(text+fmt.Sprintf(": %s are reserved for buckets and locks, so no events are stored", humanize.IBytes(room.Reserve)), remedy)
	case room.Left() < lowDisk:
		d.warn(text+fmt.Sprintf(": apart from the %s reserved for buckets and locks, events may use %s", humanize.IBytes(room.Reserve), humanize.IBytes(room.Left())), remedy)
	default:
		d.fact("%s", text)
	}
}

// leastFiles is how many files a process with many orgs may open: 256 requests in flight,
// as many idle connections, and the embedded store's files.
const leastFiles = 4096

func openFiles(_ context.Context, d *observation) {
	most, err := filesLimit()
	switch {
	case err != nil:
		d.skip("limit of open files: " + err.Error())
	case most < leastFiles:
		d.warn(fmt.Sprintf("a process may open %s files", term.Number(most)), fmt.Sprintf("with hundreds of orgs: ulimit -n %d, or LimitNOFILE= in the unit", 16*leastFiles))
	default:
		d.fact("a process may open %s", term.Number(most))
	}
}
