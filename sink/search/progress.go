package search

import (
	"sync"
	"time"
)

// State is what a Service does.
type State string

// The states of a Service.
const (
	StateOff        State = "off"        // there is no index
	StateStarting   State = "starting"   // it does not answer yet
	StateIndexing   State = "indexing"   // it is behind the stream
	StateCurrent    State = "current"    // it follows the stream
	StateRebuilding State = "rebuilding" // it was dropped and is being built again
	StateElsewhere  State = "elsewhere"  // another process writes it
	StateFailed     State = "failed"     // see Trouble
)

// Progress is how far the index is.
type Progress struct {
	State      State
	Rebuilding bool      // until the index has all that the stream holds
	Stream     uint64    // events that the stream holds
	Indexed    uint64    // events that the index holds
	Behind     uint64    // events of the stream that are not indexed yet
	Seq        uint64    // sequence through which the stream is indexed
	Through    time.Time // arrival of the newest indexed event; zero: none
	Refused    Refused   // events that the index did not take, since it was empty
	Writer     string    // the process that writes a remote index; empty: this one
	Trouble    string    // what is wrong; empty: nothing
	Remedy     string    // what to do about it
}

// Refused counts events that an index does not take, by reason.
type Refused struct {
	Old    uint64 `json:"old,omitzero"`    // happened before the retention
	Future uint64 `json:"future,omitzero"` // happened more than two days ahead
	Other  uint64 `json:"other,omitzero"`  // it did not say why
}

// Total returns the sum.
func (r Refused) Total() uint64 { return r.Old + r.Future + r.Other }

func (r Refused) plus(o Refused) Refused {
	return Refused{r.Old + o.Old, r.Future + o.Future, r.Other + o.Other}
}

// progress is the progress of a Service. It is safe for concurrent use.
type progress struct {
	mu    sync.Mutex
	now   Progress
	added uint64 // rows since the process began
	again bool   // the index was dropped and has not caught up since
}

// behindMuch is from where on an index is behind, and not just at work.
const behindMuch = 5_000

// begin shows where a session begins.
func (p *progress) begin(at checkpoint, behind uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.again = p.again || at.Rebuilding
	p.now.Seq, p.now.Through, p.now.Refused, p.now.Behind = at.Seq, at.Stored, at.Refused, behind
	p.now.Indexed = max(p.now.Indexed, at.Rows)
	p.now.Stream = max(p.now.Stream, behind)
	p.now.Trouble, p.now.Remedy, p.now.Writer = "", "", ""
	p.now.State = StateIndexing
	p.state()
}

// took shows what a batch has added.
func (p *progress) took(done mark, behind, rows uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := rows + behind; left > p.now.Behind { // the stream went on since
		p.now.Stream += left - p.now.Behind
	}
	p.now.Seq, p.now.Through, p.now.Refused, p.now.Behind = done.point.Seq, done.point.At, done.refused, behind
	p.now.Indexed += rows
	p.added += rows
	p.now.Stream = max(p.now.Stream, p.now.Behind)
	p.state()
}

// state derives the state of an index that is written.
func (p *progress) state() {
	p.again = p.again && p.now.Behind > 0
	p.now.Rebuilding = p.again
	switch {
	case p.again:
		p.now.State = StateRebuilding
	case p.now.Behind == 0 || p.now.State == StateCurrent && p.now.Behind < behindMuch:
		p.now.State = StateCurrent
	default:
		p.now.State = StateIndexing
	}
}

// rows returns how many rows were added since the process began.
func (p *progress) rows() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.added
}

// counted shows what was counted, while rows were added.
func (p *progress) counted(stream, indexed, before uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Stream = stream
	p.now.Indexed = indexed + (p.added - before)
}

// rebuild shows that the index was dropped.
func (p *progress) rebuild() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.again = true
	p.now.State, p.now.Rebuilding, p.now.Indexed, p.now.Seq, p.now.Through, p.now.Refused = StateRebuilding, true, 0, 0, time.Time{}, Refused{}
}

func (p *progress) rebuilding() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.again
}

// set shows a state without an index that is written.
func (p *progress) set(state State, trouble, remedy string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.State, p.now.Trouble, p.now.Remedy = state, trouble, remedy
}

// elsewhere shows that another process writes the index.
func (p *progress) elsewhere(writer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.State, p.now.Writer, p.now.Trouble, p.now.Remedy = StateElsewhere, writer, "", ""
}

func (p *progress) get() Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}
