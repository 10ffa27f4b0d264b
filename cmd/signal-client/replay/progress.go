package replay

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

// replayProgress reports a replay's progress and problems. It is safe for concurrent use.
type replayProgress struct {
	line    term.ProgressLine
	verb    string
	silent  bool // the events themselves are on the terminal
	started time.Time

	from, through, read, events, bytes atomic.Uint64

	mu   sync.Mutex
	gone [2]uint64 // sequences that were removed before they could be read
	held error     // why published events have no ack yet
}

func newReplayProgress(to term.Screen, silent bool, verb string) *replayProgress {
	return &replayProgress{line: term.ProgressLine{To: to, Every: 10 * time.Second}, silent: silent, verb: verb, started: time.Now()}
}

// Start reports until stop is called.
func (p *replayProgress) Start() (stop func()) {
	ctx, end := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for !p.silent && pipeline.Sleep(ctx, 250*time.Millisecond) == nil {
			p.line.Show(p.text())
		}
	})
	return func() {
		end()
		wg.Wait()
		p.line.Clear()
		p.sayGone()
	}
}

func (p *replayProgress) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	done, all := p.done()
	taken, part := time.Since(p.started), float64(done)/float64(all)
	left := timeLeft(taken, part) + " left"
	if p.held != nil {
		left = "waiting: " + p.held.Error()
	}
	return fmt.Sprintf("%s events %s, %s/s, %s, %.0f %% of the range, %s", term.Number(p.events.Load()), p.verb,
		term.Number(uint64(float64(p.events.Load())/taken.Seconds())), humanize.IBytes(p.bytes.Load()), 100*part, left)
}

// timeLeft estimates the time left from the speed so far.
func timeLeft(taken time.Duration, part float64) string {
	if part <= 0 {
		return "?"
	}
	return term.Span(time.Duration(float64(taken) * (1 - part) / part))
}

// done returns how much of the range was read.
func (p *replayProgress) done() (done, all uint64) {
	from, through, read := p.from.Load(), p.through.Load(), p.read.Load()
	if through < from || read < from {
		return 0, max(1, through-min(from, through)+1)
	}
	return read - from + 1, through - from + 1
}

// Begun sets the range.
func (p *replayProgress) Begun(from, through uint64) {
	p.from.Store(from)
	p.through.Store(through)
}

// Read sets how far it was read.
func (p *replayProgress) Read(through uint64) { p.read.Store(through) }

// Event counts an event.
func (p *replayProgress) Event(size int) {
	p.events.Add(1)
	p.bytes.Add(uint64(size))
}

// Away notes that NATS is away, or with nil that it is back.
func (p *replayProgress) Away(err error) {
	if err == nil {
		p.note("NATS is back")
		return
	}
	p.note("NATS is away, waiting for it; Ctrl-C ends the replay: " + term.Printable(err.Error()))
}

// Held notes why events wait for an ack, or with nil that none does any more.
func (p *replayProgress) Held(err error) {
	p.mu.Lock()
	was := p.held
	p.held = err
	p.mu.Unlock()
	switch {
	case was == nil && err != nil:
		p.note("Published events are not acknowledged yet; waiting (Ctrl-C ends the replay): " + term.Printable(err.Error()))
	case was != nil && err == nil:
		p.note("The published events are acknowledged now")
	}
}

// Gone notes sequences that were removed before they could be read.
func (p *replayProgress) Gone(first, last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone[1] == 0 {
		p.gone[0] = first
	}
	p.gone = [2]uint64{min(p.gone[0], first), max(p.gone[1], last)}
}

func (p *replayProgress) sayGone() {
	if p.gone[1] > 0 {
		p.note(fmt.Sprintf("The stream has meanwhile dropped sequences up to %d: events between %d and there may be missing", p.gone[1], p.gone[0]))
	}
}

func (p *replayProgress) note(text string) {
	fmt.Fprintln(p.line.Above(p.line.To), text)
}
