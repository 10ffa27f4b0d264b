package search_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/search"
)

// A disk without room stops the index before it stops the stream, and is told; with room
// it goes on.
func TestDiskFull(t *testing.T) {
	jetstest.OnSmallDisk(t, 300<<20, func(t *testing.T, dir string) {
		f := newFixture(t)
		f.config.Dir = filepath.Join(dir, "search")
		f.lay(500)
		f.start()
		f.wantSame()
		makeRoom := jetstest.FillBut(t, dir, 64<<20)
		f.await("it is told", func() bool { f.lay(10); return f.service.Progress().State == search.StateFailed })
		if p := f.service.Progress(); !strings.Contains(p.Trouble, "free disk space") || !strings.Contains(p.Remedy, "make room") {
			t.Errorf("trouble %q, remedy %q", p.Trouble, p.Remedy)
		}
		makeRoom()
		f.wantSame()
	})
}
