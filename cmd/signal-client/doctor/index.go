package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/consoleclient"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/search"
)

// index checks the search index, by what the running service says of it.
func (s *surroundings) index(ctx context.Context, d *observation) {
	if s.search.Where == search.Off {
		d.skip("SIGNAL_CLIENT_SEARCH is off: there is no index")
		return
	}
	p, err := s.console.Index(ctx)
	switch {
	case errors.Is(err, consoleclient.ErrNone):
		d.skip("the service at " + s.console.URL + " has no console, which tells how far it is")
		return
	case err != nil:
		d.skip("how far it is, the running service tells: " + problem.Innermost(err))
		return
	case p.None():
		d.skip("the service has no index")
		return
	}
	s.progressOfIndex(p, d)
	if !s.search.Remote() {
		s.roomOfIndex(d)
	}
}

// progressOfIndex judges how far the index is.
func (s *surroundings) progressOfIndex(p consoleclient.Progress, d *observation) {
	counts := fmt.Sprintf("%s of the stream's %s events", term.Number(p.Indexed), term.Number(p.Stream))
	switch {
	case p.State == search.StateFailed:
		d.wrong(p.Trouble, p.Remedy)
	case p.State == search.StateStarting:
		d.warn("it is starting", "ask again in a moment")
		return
	case p.Rebuilding:
		d.warn("it is being built again: "+counts, "it catches up by itself")
	case !p.Complete():
		d.warn("it is behind: "+counts, "it catches up by itself; if it does not, see the service's log")
	default:
		d.fact("%s", counts)
	}
	if !p.Through.IsZero() {
		d.fact("the newest was stored %s", term.Relative(p.Through, time.Now()))
	}
	if n := p.Refused.Total(); n > 0 {
		d.fact("%s not taken, which happened before SIGNAL_CLIENT_SEARCH_RETENTION or in the future", term.Number(n))
	}
}

// roomOfIndex tells the directory of an embedded index, if it is on this machine, and the
// room that it has.
func (s *surroundings) roomOfIndex(d *observation) {
	dir, _ := filepath.Abs(filepath.Join(s.server.DataDir, "search"))
	size, err := sizeOf(dir)
	if err != nil {
		return
	}
	d.fact("%s in %s", humanize.IBytes(size), dir)
	room, err := embedded.RoomOf(dir)
	if err != nil || room.Total == 0 {
		return
	}
	text := humanize.IBytes(room.Free) + " left there"
	if room.Free < lowDisk {
		d.warn(text, "free some space, or index less: SIGNAL_CLIENT_SEARCH_RETENTION")
		return
	}
	d.fact("%s", text)
}

// sizeOf returns the bytes of the files below a directory. Files may go meanwhile.
func sizeOf(dir string) (size uint64, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if path == dir && err != nil {
			return err
		}
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			size += uint64(info.Size())
		}
		return nil
	})
	return size, err
}
