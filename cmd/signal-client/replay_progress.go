package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/progress"
)

// How often a replay tells how far it is: on a terminal, and elsewhere.
const (
	barEvery  = 250 * time.Millisecond
	lineEvery = 10 * time.Second
)

// replayProgress tells how far a replay is: by a bar on a terminal, elsewhere by
// a line now and then. It is safe for concurrent use.
type replayProgress struct {
	to      screen
	verb    string
	silent  bool // the events themselves are on the screen
	started time.Time

	from, through, read, events, bytes atomic.Uint64

	mu      sync.Mutex // notes are whole lines
	bar     progress.Writer
	tracker *progress.Tracker
	gone    [2]uint64 // sequences that were removed before they could be read
	held    error     // why events that were published have no ack yet
}

func newReplayProgress(to screen, silent bool, verb string) *replayProgress {
	return &replayProgress{to: to, silent: silent, verb: verb, started: time.Now()}
}

// Start tells until what it returns is called.
func (p *replayProgress) Start() (stop func()) {
	var wg sync.WaitGroup
	end := make(chan struct{})
	if p.to.Terminal && !p.silent {
		p.bar = newBar(p.to)
		p.tracker = &progress.Tracker{Message: "replay", Total: 1}
		p.bar.AppendTracker(p.tracker)
		wg.Go(p.bar.Render)
	}
	wg.Go(func() { p.run(end) })
	return func() {
		close(end)
		if p.bar != nil {
			p.bar.Stop()
		}
		wg.Wait()
		p.sayGone()
	}
}

func newBar(to screen) progress.Writer {
	bar := progress.NewWriter()
	bar.SetOutputWriter(to)
	bar.SetUpdateFrequency(barEvery)
	bar.SetTrackerPosition(progress.PositionRight)
	bar.SetMessageLength(58)
	style := progress.StyleBlocks
	if !to.Color {
		style.Colors = progress.StyleColors{}
	}
	style.Visibility = progress.StyleVisibility{Percentage: true, Tracker: true}
	style.Options.Separator = ""
	bar.SetStyle(style)
	return bar
}

func (p *replayProgress) run(end <-chan struct{}) {
	every := lineEvery
	if p.bar != nil {
		every = barEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
			p.tell()
		}
	}
}

func (p *replayProgress) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	done, all := p.done()
	rate := uint64(float64(p.events.Load()) / time.Since(p.started).Seconds())
	said := fmt.Sprintf("%s events %s, %s/s", human(p.events.Load()), p.verb, human(rate))
	part := float64(done) / float64(all)
	left := timeLeft(time.Since(p.started), part) + " left"
	if p.held != nil {
		left = "waiting"
	}
	switch {
	case p.bar != nil:
		p.tracker.UpdateMessage(said + ", " + left)
		p.tracker.UpdateTotal(int64(all))
		p.tracker.SetValue(int64(min(done, all-1)))
	case !p.silent:
		if p.held != nil {
			left += ": " + printable(p.held.Error())
		}
		fmt.Fprintf(p.to, "%s, %s, %.0f %% of the range, %s\n", said, humanize.IBytes(p.bytes.Load()), 100*part, left)
	}
}

// timeLeft is how long the rest takes if it goes on like this.
func timeLeft(taken time.Duration, part float64) string {
	if part <= 0 {
		return "?"
	}
	return span(time.Duration(float64(taken) * (1 - part) / part))
}

// done is how much of the range was read.
func (p *replayProgress) done() (done, all uint64) {
	from, through, read := p.from.Load(), p.through.Load(), p.read.Load()
	if through < from || read < from {
		return 0, max(1, through-min(from, through)+1)
	}
	return read - from + 1, through - from + 1
}

// Begun says what the range is.
func (p *replayProgress) Begun(from, through uint64) {
	p.from.Store(from)
	p.through.Store(through)
}

// Read says how far it was read.
func (p *replayProgress) Read(through uint64) { p.read.Store(through) }

// Event counts one.
func (p *replayProgress) Event(size int) {
	p.events.Add(1)
	p.bytes.Add(uint64(size))
}

// Away says that NATS is, or with nil that it is back.
func (p *replayProgress) Away(err error) {
	if err == nil {
		p.note("NATS is back")
		return
	}
	p.note("NATS is away, waiting for it; Ctrl-C ends the replay: " + printable(err.Error()))
}

// Held says that events wait for an ack, and why, or with nil that none does any more.
func (p *replayProgress) Held(err error) {
	p.mu.Lock()
	was := p.held
	p.held = err
	p.mu.Unlock()
	switch {
	case was == nil && err != nil:
		p.note("What was published is not acknowledged, waiting for it; Ctrl-C ends the replay: " + printable(err.Error()))
	case was != nil && err == nil:
		p.note("What was published is acknowledged now")
	}
}

// Gone notes what was removed before it could be read.
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
		p.note(fmt.Sprintf("The stream has dropped sequences up to %d meanwhile: events between %d and there may be missing", p.gone[1], p.gone[0]))
	}
}

func (p *replayProgress) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil && p.bar.IsRenderInProgress() {
		p.bar.Log("%s", text)
		return
	}
	fmt.Fprintln(p.to, text)
}
