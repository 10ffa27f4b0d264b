package pipeline

import (
	"context"
	"time"
)

type fetch struct {
	link   Link
	asked  Request
	cancel context.CancelFunc
	done   chan struct{} // closed when page and err are set
	page   Page
	took   time.Duration
	err    error
}

// next returns the page after the position: the prefetched one if it fits, else a new one.
func (p *poll) next(ctx context.Context) (Page, error) {
	if p.ahead != nil && p.ahead.link != p.at.Link {
		p.drop()
	}
	if p.ahead == nil {
		p.ahead = p.fetch(ctx, p.at.Link)
	}
	f := p.ahead
	<-f.done
	f.cancel()
	p.ahead = nil
	if f.err == nil {
		p.head.Learn(f.asked, &f.page)
		p.time()
		p.trace.Polled(p.Instance, f.page, f.took)
	} else {
		p.Clock.Observe(f.page.Date) // of a refusal, too: a wrong clock may have made the link
	}
	return f.page, f.err
}

// mostUndated is how many answers in a row may lack a Date before that is logged.
const mostUndated = 3

// time logs, once, that the org's answers have no Date header, or have one again.
func (p *poll) time() {
	switch {
	case !p.untimed && p.head.undated >= mostUndated:
		p.Log.Warn(p.Kind + ": answers have no Date header: only events move the watermark, and it stands still while there are none; " +
			"configure the proxy between here and the org to pass that header on")
	case p.untimed && p.head.undated == 0:
		p.Log.Info(p.Kind + ": answers have a Date header again")
	default:
		return
	}
	p.untimed = !p.untimed
	p.trace.Untimed(p.Instance, p.untimed)
}

// fetch asks for a page in the background.
func (p *poll) fetch(ctx context.Context, link Link) *fetch {
	ctx, cancel := context.WithCancel(ctx)
	f := &fetch{link: link, asked: p.head.Ask(), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		started := time.Now()
		f.page, f.err = p.Source.Poll(ctx, link)
		f.took = time.Since(started)
	}()
	return f
}

// drop cancels the prefetch, waits for its request to end and releases its memory.
func (p *poll) drop() {
	if p.ahead == nil {
		return
	}
	p.ahead.cancel()
	<-p.ahead.done
	p.ahead.page.Memory.Release()
	p.ahead = nil
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
