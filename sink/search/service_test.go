package search_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// The index gets what is stored, and what is stored later, and goes on where it was.
func TestIndexFollows(t *testing.T) {
	f := newFixture(t)
	f.lay(3000)
	f.start()
	f.wantSame()
	f.lay(10)
	f.wantSame()
	f.end()
	f.lay(500)
	f.start()
	f.wantSame()
}

// The process of the index is killed at random moments while rows are written: at rest
// each event is there once.
func TestChildKilled(t *testing.T) {
	f := newFixture(t)
	f.lay(2000)
	f.start()
	laying := make(chan struct{})
	go func() {
		defer close(laying)
		for range 150 {
			f.lay(100)
			time.Sleep(70 * time.Millisecond) // as orgs bring them, not a condition
		}
	}()
	for range 4 {
		f.kill(time.Duration(rand.IntN(1000)) * time.Millisecond)
	}
	<-laying
	f.saved()
	f.wantSame()
	if f.log.Count("dropped and built again") > 0 {
		t.Errorf("it was built again:\n%s", f.log)
	}
	if !regexp.MustCompile(`from=\d\d+ .*kept=[1-9]|from=1 .*kept=[1-9]`).MatchString(f.log.String()) {
		t.Error("no process left rows above its checkpoint this time")
	}
}

// A directory that is removed under the index is noticed, and the index built again.
func TestDirectoryRemoved(t *testing.T) {
	f := newFixture(t)
	f.lay(2000)
	f.start()
	f.wantSame()
	f.saved()
	f.remove()
	f.await("it is built again", func() bool { return f.log.Count("dropped and built again") > 0 || f.log.Count("does not work") > 0 })
	f.lay(100)
	f.wantSame()
	f.end()

	f.OK(os.RemoveAll(filepath.Join(f.config.Dir, "partitions"))) // a half of it, while nothing runs
	f.OK(os.Remove(filepath.Join(f.config.Dir, "checkpoint.json")))
	f.start()
	f.wantSame()
}

// A damaged directory is told with its remedy, which helps.
func TestDirectoryDamaged(t *testing.T) {
	f := newFixture(t)
	f.lay(2000)
	f.start()
	f.wantSame()
	f.saved()
	f.end()
	parts, err := filepath.Glob(filepath.Join(f.config.Dir, "partitions", "*", "datadb", "parts.json"))
	f.OK(err)
	f.OK(os.WriteFile(parts[0], []byte("what?"), 0o600))
	f.start()
	f.await("it is told", func() bool { return f.service.Progress().State == search.StateFailed })
	p := f.service.Progress()
	if !strings.Contains(p.Trouble, "parts.json") || !strings.Contains(p.Remedy, f.config.Dir) {
		t.Errorf("trouble %q, remedy %q", p.Trouble, p.Remedy)
	}
	if _, err := f.service.Index(); !errors.Is(err, search.ErrUnavailable) || !strings.Contains(err.Error(), "parts.json") {
		t.Errorf("Index says %v", err)
	}
	f.remove()
	f.wantSame()
}

// A directory that can't be written is told, and used as soon as it can.
func TestDirectoryReadOnly(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("nothing is read-only for root")
	}
	f := newFixture(t)
	f.lay(100)
	f.OK(os.MkdirAll(f.config.Dir, 0o500))
	f.start()
	f.await("it is told", func() bool { return f.service.Progress().State == search.StateFailed })
	if p := f.service.Progress(); !strings.Contains(p.Trouble, "permission denied") || !strings.Contains(p.Remedy, "writable") {
		t.Errorf("trouble %q, remedy %q", p.Trouble, p.Remedy)
	}
	f.OK(os.Chmod(f.config.Dir, 0o700))
	f.wantSame()
}

// A directory that another process uses is told.
func TestDirectoryInUse(t *testing.T) {
	f := newFixture(t)
	f.lay(100)
	f.start()
	f.wantSame()
	end := f.end
	f.start()
	f.await("it is told", func() bool { return f.service.Progress().State == search.StateFailed })
	if p := f.service.Progress(); !strings.Contains(p.Remedy, "another process uses the directory") {
		t.Errorf("trouble %q, remedy %q", p.Trouble, p.Remedy)
	}
	end()
	f.wantSame()
}

// A stream that is purged leaves the index as it is; what follows is indexed.
func TestStreamPurged(t *testing.T) {
	f := newFixture(t)
	f.lay(1000)
	f.start()
	f.wantSame()
	f.end()
	f.lay(500)
	stream, err := f.Store.Conn.JS.Stream(t.Context(), jets.StreamSignals)
	f.OK(err)
	f.OK(stream.Purge(t.Context(), jetstream.WithPurgeSequence(f.lastEvent()-200)))
	f.lay(300)
	f.start()
	f.current()
	f.await("rows", func() bool { return len(f.rows("*")) >= 1500 })
	if log := f.log.String(); strings.Contains(log, "built again") {
		t.Error(log)
	}
}

// A stream that is made anew is another one: the index is dropped and built again.
func TestStreamMadeAnew(t *testing.T) {
	for name, running := range map[string]bool{"while it runs": true, "while it does not": false} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.lay(1000)
			f.start()
			f.wantSame()
			if !running {
				f.end()
			}
			f.OK(f.Store.Conn.JS.DeleteStream(t.Context(), jets.StreamSignals))
			f.Open()
			f.lay(700)
			if !running {
				f.start()
			}
			f.await("it is built again", func() bool { return f.log.Count("dropped and built again") > 0 })
			f.wantSame()
			if p := f.service.Progress(); p.Rebuilding || p.Indexed != 700 {
				t.Errorf("%+v", p)
			}
		})
	}
}

// A stream that is rolled back to a backup is noticed, also if it has come as far again.
func TestStreamRolledBack(t *testing.T) {
	for _, c := range []struct {
		name    string
		after   int // events stored after the restore
		running bool
	}{{"to before the checkpoint", 10, false}, {"and on beyond it", 2000, false}, {"while it runs", 10, true}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.lay(1000)
			f.Server.Stop()
			backup := f.Server.Copy(t)
			f.Server.Start(t)
			f.Open()
			f.lay(500)
			f.start()
			f.wantSame()
			if !c.running {
				f.saved()
				f.lay(100)
				f.wantSame()
				f.end()
			}
			f.Server.Stop()
			f.Server.Restore(t, backup)
			f.Server.Start(t)
			f.Open()
			f.lay(c.after)
			if !c.running {
				f.start()
			}
			f.await("it is built again", func() bool { return f.log.Count("dropped and built again") > 0 })
			f.wantSame()
		})
	}
}

// Events that the index does not take are counted.
func TestRefused(t *testing.T) {
	f := newFixture(t)
	f.config.Retention = 48 * time.Hour
	f.lay(100)
	for n, age := range []time.Duration{100 * 24 * time.Hour, 4 * 24 * time.Hour, -5 * 24 * time.Hour} {
		f.put(sinktest.EventMessage("org-1", event(1_000_000+n, time.Now().Add(-age))))
	}
	<-f.Store.Conn.JS.PublishAsyncComplete()
	f.start()
	f.current()
	f.await("counts", func() bool { p := f.service.Progress(); return p.Stream == 103 && p.Indexed == 100 })
	want := search.Refused{Old: 2, Future: 1}
	if p := f.service.Progress(); p.Refused != want {
		t.Errorf("%+v", p)
	}
	f.saved()
	f.end()
	f.start()
	f.await("counts", func() bool { return f.service.Progress().Refused == want })
}

// Nobody gets in without the password, and a wrong query is no matter for the log.
func TestChildIsGuarded(t *testing.T) {
	f := newFixture(t)
	f.lay(10)
	f.start()
	f.wantSame()
	index, err := f.service.Index()
	f.OK(err)
	for _, password := range []string{"", "wrong"} {
		stranger := search.Index{URL: index.URL, User: search.ChildUser, Password: pipeline.NewSecret(password), HTTP: index.HTTP}
		answer, err := stranger.Get(t.Context(), "/select/logsql/query", url.Values{"query": {"*"}})
		f.OK(err)
		if f.OK(answer.Body.Close()); answer.StatusCode != 401 {
			t.Errorf("a stranger with %q is answered %s", password, answer.Status)
		}
	}
	answer, err := index.Get(t.Context(), "/select/logsql/query", url.Values{"query": {"actor:("}})
	f.OK(err)
	if f.OK(answer.Body.Close()); answer.StatusCode != 400 {
		t.Errorf("a wrong query is answered %s", answer.Status)
	}
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", f.pid()))
	if err == nil && strings.Contains(string(command), index.Password.Reveal()) {
		t.Error("the password is in the list of processes")
	}
	f.end()
	for _, unwanted := range []string{index.Password.Reveal(), "level=WARN", "level=ERROR"} {
		if strings.Contains(f.log.String(), unwanted) {
			t.Errorf("the log has %q:\n%s", unwanted, f.log)
		}
	}
}
