package pipeline

import (
	"reflect"
	"time"
)

// Trace is a set of hooks on an instance's life, for metrics, status and tests. Any hook
// may be nil. They are called from the instance's goroutine, must not block, and must be
// safe for concurrent calls by several instances.
type Trace struct {
	Polled    func(instance string, page Page, took time.Duration)            // a page was answered
	Failed    func(instance string, err error)                                // a poll, a commit or a sync failed
	Committed func(instance string, page Page, r Receipt, took time.Duration) // a page is stored
	Moved     func(instance string, state State, at Position, next time.Time) // state, position or time of the next poll changed

	Inserted func(instance string, past Past, r Receipt) // events of the past are stored
	Audited  func(instance string, r Audited)            // a standing audit has finished

	Requested func(instance, code string, took time.Duration) // a request ended: "200" … or "error"; every attempt counts
	Budget    func(instance string, limit RateLimit)          // an answer showed the org's budget
	Waits     func(instance string, until time.Time)          // a poll waits for the org's budget, at least for seconds
	Breaker   func(instance, state string, refused bool)      // closed, open or half-open; refused: a 401 or 403 opened it
	Rotation  func(instance string, r Rotation)               // a credential to change to was tried; the zero Rotation: none waits any more

	DeadLetter func(instance string, flaw Flaw)
	// DeadLetterLost reports an element that could not even be kept as a dead letter,
	// after the events of its page were stored.
	DeadLetterLost func(instance string, flaw Flaw)

	Fenced     func(instance string)                                    // another writer was first
	Lost       func(instance string)                                    // acked data is gone from the stream
	PassedOver func(instance string, gap Gap)                           // the org may have dropped events before they were read
	Wrote      func(instance string, result string, took time.Duration) // one commit: ok, fenced, doubt or too_large
	Untimed    func(instance string, untimed bool)                      // the org's answers have no Date, or have one again
	Drift      func(field string)                                       // an event's member differs from Okta's documentation
}

// Rotation is the result of trying a credential to change to.
type Rotation struct {
	From     string    // credentials.api_token_next, or the file
	Err      error     // why it is not in place; nil: it is the credential from now on
	Again    time.Time // the next try, after an error
	Repeated bool      // the same credential has failed before
}

// Traces returns a Trace whose hooks call those of all the traces, in order. None of
// them is nil, even where those of all are. A nil Trace has no hooks.
func Traces(all ...*Trace) *Trace {
	if len(all) == 1 && all[0].whole() {
		return all[0]
	}
	joined := new(Trace)
	for field, hook := range reflect.ValueOf(joined).Elem().Fields() {
		var hooks []reflect.Value
		for _, t := range all {
			if t == nil {
				continue
			}
			if h := reflect.ValueOf(t).Elem().FieldByIndex(field.Index); !h.IsNil() {
				hooks = append(hooks, h)
			}
		}
		switch len(hooks) {
		case 0: // each instance has some of these, so they share them
			hook.Set(reflect.ValueOf(nobody).Elem().FieldByIndex(field.Index))
			continue
		case 1:
			hook.Set(hooks[0])
			continue
		}
		hook.Set(reflect.MakeFunc(hook.Type(), func(args []reflect.Value) []reflect.Value {
			for _, h := range hooks {
				h.Call(args)
			}
			return nil
		}))
	}
	return joined
}

// whole reports whether no hook is nil.
func (t *Trace) whole() bool {
	if t == nil {
		return false
	}
	for _, hook := range reflect.ValueOf(t).Elem().Fields() {
		if hook.IsNil() {
			return false
		}
	}
	return true
}

// nobody has hooks that do nothing. It is never changed.
var nobody = func() *Trace {
	t := new(Trace)
	for _, hook := range reflect.ValueOf(t).Elem().Fields() {
		hook.Set(reflect.MakeFunc(hook.Type(), func([]reflect.Value) []reflect.Value { return nil }))
	}
	return t
}()
