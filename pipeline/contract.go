package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Source requests pages from an org. Each Source has one request in flight at a time.
type Source interface {
	// Poll requests one page. Its error matches ErrThrottled, ErrCredential, ErrCursor,
	// ErrLink or ErrConfig, or is a NotBefore; any other error is transient. After an
	// error the position stays, and the returned page holds only the Date of the answer,
	// if there was one. The caller releases the page's Memory.
	Poll(ctx context.Context, link Link) (Page, error)
}

// Errors of a Source that a Runner acts on; matched with errors.Is.
var (
	// ErrThrottled: the org's budget is used up. The next Poll of the Source waits for it.
	ErrThrottled = errors.New("rate limited")
	// ErrCredential: the org refused the credential (401, 403).
	ErrCredential = errors.New("credential refused")
	// ErrCursor: the org refused the link's cursor.
	ErrCursor = errors.New("cursor refused")
	// ErrLink: the org refused a link that it made itself, without saying why. The cursor
	// may be too old, or the org has a temporary fault.
	ErrLink = errors.New("link refused")
	// ErrConfig: the request can never succeed with this configuration.
	ErrConfig = errors.New("configuration error")
)

// NotBefore is the error of a Source that sends no request before a time.
type NotBefore struct {
	At  time.Time
	Err error // the reason
}

func (e *NotBefore) Error() string {
	return e.Err.Error() + "; next try at " + e.At.UTC().Format(time.RFC3339)
}
func (e *NotBefore) Unwrap() error { return e.Err }

// Sink stores one instance's events with its position. One goroutine at a time uses it.
type Sink interface {
	// Sync reads the newest position from the stream, repairs the copies that lag behind
	// it, and makes it the base of the next Commit.
	Sync(ctx context.Context) (Position, error)

	// Commit stores the page's events and the position after them atomically, and only if
	// at is still the newest position, else it returns ErrFenced. After any other error the
	// outcome is unknown. Invariant: after an error nothing is committed before a Sync.
	Commit(ctx context.Context, at Position, page Page) (Receipt, error)

	// Reopen writes a position that starts a new query far enough back to miss no event.
	// It returns the same errors as Commit.
	Reopen(ctx context.Context, at Position) (Position, error)
}

// ErrFenced: another writer has moved the position.
var ErrFenced = errors.New("position moved by another writer")

// Receipt is the result of a Commit.
type Receipt struct {
	Position    Position // the newest position
	Stored      int      // events
	Repeats     int      // events dropped because they are stored already; includes those with other bytes, which become dead letters
	DeadLetters int      // elements that can't be published
}

// Locks are the locks that let only one process at a time poll an instance.
type Locks interface {
	// Hold waits until this process holds the instance's lock, calls held, and releases
	// the lock when held returns. The context of held is derived from ctx. It ends with
	// cause ErrLockLost when the lock may be lost, and with ErrHandover when another
	// process is to have the instance. Hold returns when held has returned, or when ctx
	// ends before held was called. It returns an error that matches ErrConfig, without
	// calling held, when another process polls an instance without a key at another
	// origin: that is another org.
	Hold(ctx context.Context, claim Claim, held func(context.Context)) error

	// Decline announces that this process can't poll an instance before a time, and why,
	// so that a process that can takes it. A held instance is handed over only to a
	// process that does not decline it. A time in the past withdraws the announcement.
	Decline(instance string, until time.Time, reason string)
}

// Claim is a request for an instance's lock.
type Claim struct {
	Kind     *Kind // of the instance
	Instance string

	// Key decides which process owns the instance: all instances of one key belong to the
	// same live process. Empty: nobody owns it, and the first to take the lock polls it.
	Key string

	Origin string // where this process would poll the instance
}

// Causes of a held context's end.
var (
	// ErrLockLost: the lock is lost; another process may hold it already.
	ErrLockLost = errors.New("lock lost")
	// ErrSessionLost: this process's session ended, and with it all its locks. It matches
	// ErrLockLost. The owner of the session logs it once.
	ErrSessionLost = fmt.Errorf("%w with the session", ErrLockLost)
	// ErrHandover: another process owns the instance and takes it when it is released.
	// The page in hand may be finished.
	ErrHandover = errors.New("handed over to another replica")
	// ErrChanged: the integration was changed, disabled or deleted.
	ErrChanged = errors.New("integration changed")
)

// Integrations is the set of instances to poll.
type Integrations interface {
	// Watch calls changed with all entries, by instance: first with the current ones,
	// then after each change. changed may keep the map. Watch returns when ctx ends.
	Watch(ctx context.Context, changed func(map[string]Entry)) error
}

// Entry is an integration, or why it can't be used.
type Entry struct {
	Integration Integration
	Err         error // names the field, what is wrong and what to do
}
