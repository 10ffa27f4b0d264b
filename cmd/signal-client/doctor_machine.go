package main

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

// machineExams are about this machine: the embedded store's disk, if it is the
// one that is used, and what the system allows a process.
func (s *scene) machineExams() []exam {
	return []exam{
		one(groupMachine, "embedded store", s.store),
		one(groupMachine, "disk", s.disk),
		one(groupMachine, "open files", openFiles),
		one(groupMachine, "settings", s.settings),
	}
}

// settings finds those in the environment that do nothing.
func (s *scene) settings(_ context.Context, d *diagnosis) {
	c := config.Config{NATS: s.nats, Server: s.server, Okta: s.okta}
	for _, u := range c.UnusedSettings(nil) {
		if u.Setting == "OKTA_API_TOKEN_FILE" && slices.ContainsFunc(s.orgs(), func(o org) bool { return o.theirs }) {
			continue // the token of an org that a service has from its environment
		}
		d.warn(fmt.Sprintf("%s does nothing: %s", u.Setting, u.Why), u.Try)
	}
	d.fact("each one in the environment of this command is used")
}

// store says whether the store's directory is there.
func (s *scene) store(_ context.Context, d *diagnosis) {
	if !s.nats.Embedded() {
		d.skip("NATS_URL or NATS_CONTEXT names a server: none is embedded")
		return
	}
	dir, _ := filepath.Abs(s.server.DataDir)
	info, err := os.Stat(filepath.Join(dir, "jetstream"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.conn != nil:
		d.warn(fmt.Sprintf("%s holds none, though a server answers at %s: it keeps its store elsewhere", dir, s.dial.Where), "SIGNAL_CLIENT_DATA_DIR=<the service's>")
	case errors.Is(err, fs.ErrNotExist):
		d.warn(dir+" holds none yet", "signal-client run makes it; SIGNAL_CLIENT_DATA_DIR if it is elsewhere")
	case err != nil:
		d.wrong(err.Error(), "run doctor as the service's user")
	case !info.IsDir():
		d.wrong(dir+"/jetstream is no directory", "SIGNAL_CLIENT_DATA_DIR=<the service's>")
	default:
		d.fact("%s", dir)
	}
}

// lowDisk is the room that a store should have: with less, a day's events of a large org
// may not fit.
const lowDisk = 5 << 30

func (s *scene) disk(_ context.Context, d *diagnosis) {
	if !s.nats.Embedded() {
		d.skip("none is embedded; the servers' disks show in the account's limits")
		return
	}
	dir, _ := filepath.Abs(s.server.DataDir)
	for _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir); _, err = os.Stat(dir) {
		dir = filepath.Dir(dir) // where it will be made
	}
	room, err := embedded.RoomOf(dir)
	if err != nil || room.Total == 0 {
		d.skip(fmt.Sprintf("room left at %s: %v", dir, err))
		return
	}
	text := fmt.Sprintf("%s of %s left at %s", humanize.IBytes(room.Free), humanize.IBytes(room.Total), dir)
	const remedy = "make room, or bound the stream: SIGNAL_CLIENT_STREAM_MAX_BYTES, SIGNAL_CLIENT_STREAM_MAX_AGE"
	switch {
	case room.Left() == 0:
		d.wrong(text+fmt.Sprintf(": %s are kept for buckets and locks, so no events are stored", humanize.IBytes(room.Reserve)), remedy)
	case room.Left() < lowDisk:
		d.warn(text+fmt.Sprintf(": without the %s that are kept for buckets and locks, events may take %s", humanize.IBytes(room.Reserve), humanize.IBytes(room.Left())), remedy)
	default:
		d.fact("%s", text)
	}
}

// leastFiles is what a process with many orgs may open: 256 requests in flight,
// idle connections to as many orgs again, and the embedded store's files.
const leastFiles = 4096

func openFiles(_ context.Context, d *diagnosis) {
	most, err := filesLimit()
	switch {
	case err != nil:
		d.skip("limit of open files: " + err.Error())
	case most < leastFiles:
		d.warn(fmt.Sprintf("a process may open %s files", term.Number(most)), fmt.Sprintf("ulimit -n %d, or LimitNOFILE= in the unit, when there are hundreds of orgs", 16*leastFiles))
	default:
		d.fact("a process may open %s", term.Number(most))
	}
}
