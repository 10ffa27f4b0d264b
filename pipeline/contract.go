package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Source asks an org for pages. One request is in flight at a time per Source.
type Source interface {
	// Poll asks for one page. It returns an error that matches one of
	// ErrThrottled, ErrCredential, ErrCursor, ErrLink or ErrConfig, or a NotBefore;
	// any other error is transient. No error moves anything; the page beside it has
	// nothing but the Date of the answer, if there was one. The page's Memory is
	// the caller's to release.
	Poll(ctx context.Context, link Link) (Page, error)
}

// What a Source's error means to a Runner; matched with errors.Is.
var (
	// ErrThrottled: the org is out of budget for us. The Source waits for it
	// within the next Poll.
	ErrThrottled = errors.New("rate limited")
	// ErrCredential: the org refused the credential (401, 403).
	ErrCredential = errors.New("credential refused")
	// ErrCursor: the org refused the link's cursor.
	ErrCursor = errors.New("cursor refused")
	// ErrLink: the org refused a link that it made itself, and did not say what of
	// it. Its cursor may be too old; or the org has a bad moment.
	ErrLink = errors.New("link refused")
	// ErrConfig: the request can never succeed as it is configured.
	ErrConfig = errors.New("configuration error")
)

// NotBefore is the error of a Source that refuses to ask before a time.
type NotBefore struct {
	At  time.Time
	Err error // why
}

func (e *NotBefore) Error() string {
	return e.Err.Error() + "; next try at " + e.At.UTC().Format(time.RFC3339)
}
func (e *NotBefore) Unwrap() error { return e.Err }

// Sink keeps one instance's events and its position, together. It is used by
// one goroutine at a time.
type Sink interface {
	// Sync reads the newest position back from the truth, heals what trails
	// it, and makes it the one that the next Commit starts from.
	Sync(ctx context.Context) (Position, error)

	// Commit stores the page's events and the position after them as one: all
	// or nothing, and only if at is still the newest position. It returns
	// ErrFenced when it is not, and any other error when it can't tell: in both
	// cases nothing may be committed before a Sync.
	Commit(ctx context.Context, at Position, page Page) (Receipt, error)

	// Reopen writes a position that starts a new query far enough back to
	// miss nothing. Its errors are Commit's.
	Reopen(ctx context.Context, at Position) (Position, error)
}

// ErrFenced: another writer has moved the position.
var ErrFenced = errors.New("position moved by another writer")

// Receipt says what a Commit did.
type Receipt struct {
	Position    Position // the newest one now
	Stored      int      // events
	Repeats     int      // events dropped, since they are stored already; also those with other bytes, which are dead letters
	DeadLetters int      // elements that can't be published
}

// Locks let one process at a time poll an instance.
type Locks interface {
	// Hold waits until this process holds the instance's lock, calls held
	// and gives the lock back when held returns. The context given to held is
	// ctx's child. It ends with cause ErrLockLost when the lock can no longer
	// be counted on, and with ErrHandover when another process is to have it.
	// Hold returns when held has returned; before held was called, when ctx ends. It
	// returns an error that matches ErrConfig, and calls nothing, when another process
	// polls an instance without a key elsewhere: that is another org.
	Hold(ctx context.Context, claim Claim, held func(context.Context)) error

	// Decline says that this process can't poll an instance before then, and why:
	// others are to have it, if one of them can. What is held is handed over only to
	// one that does not decline it. A time that has passed takes it back.
	Decline(instance string, until time.Time, reason string)
}

// Claim is what a process wants to hold.
type Claim struct {
	Instance string

	// Key shares instances out: those of one key belong to one of the processes
	// that live. Empty: the instance is nobody's, and whoever comes first holds it.
	Key string

	Origin string // where this process would poll it
}

// Causes of a held context's end.
var (
	// ErrLockLost: the lock was lost; another may hold it already.
	ErrLockLost = errors.New("lock lost")
	// ErrSessionLost: all locks of this process were. It matches ErrLockLost, and is
	// told once, by who keeps the session.
	ErrSessionLost = fmt.Errorf("%w with the session", ErrLockLost)
	// ErrHandover: the instance is another process's, which takes it when it
	// is given back. What is in hand may be finished.
	ErrHandover = errors.New("handed over to another replica")
)

// Integrations are the instances to poll.
type Integrations interface {
	// Watch calls changed with all entries, by instance: first with what
	// stands, then after each change. The map is the callee's to keep. It
	// returns when ctx ends.
	Watch(ctx context.Context, changed func(map[string]Entry)) error
}

// Entry is an integration, or why it can't be used.
type Entry struct {
	Integration Integration
	Err         error // names the field, what is wrong and what to do
}
