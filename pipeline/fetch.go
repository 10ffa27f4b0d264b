package pipeline

import (
	"context"
	"time"
)

// fetch is a request under way, or its answer.
type fetch struct {
	link   Link
	cancel context.CancelFunc
	done   chan struct{} // closed when page and err are set
	page   Page
	err    error
}

// next returns the page after the position: the one fetched ahead when it is
// that page, else a new one.
func (w *walk) next(ctx context.Context) (Page, error) {
	if w.ahead != nil && w.ahead.link != w.at.Link {
		w.drop()
	}
	if w.ahead == nil {
		w.ahead = w.fetch(ctx, w.at.Link)
	}
	f := w.ahead
	<-f.done
	f.cancel()
	w.ahead = nil
	if !f.page.Date.IsZero() {
		w.Clock.Observe(f.page.Date) // of a refusal, too: a link may have been made by a wrong clock
	}
	if f.err == nil && !f.page.Date.IsZero() {
		w.seen = f.page.Date
	}
	return f.page, f.err
}

// fetch asks for a page in the background.
//
// The watermark that a page proves is the org's clock on an answer received
// before this request was sent: all that was persisted by then is in this page
// or in one before it, if this one is not full. The answer's own Date proves
// nothing: the org may have stamped it after it looked.
func (w *walk) fetch(ctx context.Context, link Link) *fetch {
	ctx, cancel := context.WithCancel(ctx)
	f := &fetch{link: link, cancel: cancel, done: make(chan struct{})}
	seen := w.seen
	go func() {
		defer close(f.done)
		started := time.Now()
		f.page, f.err = w.Source.Poll(ctx, link)
		if f.err != nil {
			return
		}
		if !f.page.Full {
			f.page.Through = seen
		}
		w.trace.Polled(w.Instance, f.page, time.Since(started))
	}()
	return f
}

// drop gives up the page fetched ahead, and its memory, and waits for its
// request to end.
func (w *walk) drop() {
	if w.ahead == nil {
		return
	}
	w.ahead.cancel()
	<-w.ahead.done
	w.ahead.page.Memory.Release()
	w.ahead = nil
}

// graceful returns a context that ends a while after ctx does.
func graceful(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = Sleep(late, grace)
		cancel(context.Cause(ctx))
	})
	return late, func() { stop(); cancel(nil) }
}
