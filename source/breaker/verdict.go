package breaker

import (
	"context"
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/witfoo/signal-client/pipeline"
)

// verdict is a source's error with its meaning for a breaker.
type verdict struct {
	error
	excluded bool // counts neither as a failure nor as a success
	refused  bool // opens at once
}

// judge returns the verdict on an error. Cancellation by the caller says nothing about
// the org, whatever error it surfaces as; a timeout of the source does.
func judge(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	_, early := errors.AsType[*pipeline.NotBefore](err)
	return verdict{
		error: err,
		excluded: early || ctx.Err() != nil || errors.Is(err, pipeline.ErrThrottled) ||
			errors.Is(err, pipeline.ErrCursor) || errors.Is(err, pipeline.ErrLink) || errors.Is(err, pipeline.ErrConfig),
		refused: errors.Is(err, pipeline.ErrCredential),
	}
}

// closed returns a closed gobreaker that opens once, by this package's rules, for a time.
func closed(open time.Duration) *gobreaker.CircuitBreaker[pipeline.Page] {
	refused := false // guarded by gobreaker's own lock, which it holds in these calls
	return gobreaker.NewCircuitBreaker[pipeline.Page](gobreaker.Settings{
		Timeout: open,
		IsExcluded: func(err error) bool {
			v, ok := errors.AsType[verdict](err)
			return ok && v.excluded
		},
		IsSuccessful: func(err error) bool {
			v, ok := errors.AsType[verdict](err)
			refused = ok && v.refused
			return err == nil
		},
		ReadyToTrip: func(c gobreaker.Counts) bool { return refused || c.ConsecutiveFailures >= failures },
	})
}

// opened returns an open gobreaker. gobreaker's open time is fixed when it is made, so
// each opening with another open time needs a new one.
func opened(open time.Duration) *gobreaker.CircuitBreaker[pipeline.Page] {
	b := closed(open)
	_, _ = b.Execute(func() (pipeline.Page, error) {
		return pipeline.Page{}, verdict{error: errOpening, refused: true}
	})
	return b
}

var errOpening = errors.New("opening")
