package pipeline

import (
	"context"
	"time"
)

// fetch is a request in flight, or its answer.
type fetch struct {
	link   Link
	asked  Request
	cancel context.CancelFunc
	done   chan struct{} // closed when page and err are set
	page   Page
	took   time.Duration
	err    error
}

// next returns the page after the position: the prefetched one if it fits, else a new
// one.
func (w *poll) next(ctx context.Context) (Page, error) {
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
	if f.err == nil {
		w.head.Learn(f.asked, &f.page)
		w.time()
		w.trace.Polled(w.Instance, f.page, f.took)
	} else {
		w.Clock.Observe(f.page.Date) // of a refusal, too: a wrong clock may have made the link
	}
	return f.page, f.err
}

// mostUndated is how many answers in a row may lack a Date before that is logged.
const mostUndated = 3

// time logs, once, that the org's answers have no Date header, and that they have one
// again.
func (w *poll) time() {
	switch {
	case !w.untimed && w.head.undated >= mostUndated:
		w.Log.Warn(w.Kind + ": answers have no Date header: only events move the watermark, and it stands still while there are none; " +
			"configure the proxy between here and the org to pass that header on")
	case w.untimed && w.head.undated == 0:
		w.Log.Info(w.Kind + ": answers have a Date header again")
	default:
		return
	}
	w.untimed = !w.untimed
	w.trace.Untimed(w.Instance, w.untimed)
}

// fetch asks for a page in the background.
func (w *poll) fetch(ctx context.Context, link Link) *fetch {
	ctx, cancel := context.WithCancel(ctx)
	f := &fetch{link: link, asked: w.head.Ask(), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		started := time.Now()
		f.page, f.err = w.Source.Poll(ctx, link)
		f.took = time.Since(started)
	}()
	return f
}

// drop cancels the prefetch, waits for its request to end and releases its memory.
func (w *poll) drop() {
	if w.ahead == nil {
		return
	}
	w.ahead.cancel()
	<-w.ahead.done
	w.ahead.page.Memory.Release()
	w.ahead = nil
}

// graceful returns a context that ends grace later than ctx does.
func graceful(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = Sleep(late, grace)
		cancel(context.Cause(ctx))
	})
	return late, func() { stop(); cancel(nil) }
}
