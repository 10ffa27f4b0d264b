package search

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
)

// rawPrinter prints the bytes of events, which it reads from the stream.
type rawPrinter struct {
	to    term.Screen
	conn  *jets.Conn
	kinds []*pipeline.Kind
	gone  int // events of the index that the stream does not hold
}

// rawAtOnce is how many events are read at the same time.
const rawAtOnce = 16

func (p *rawPrinter) rows(ctx context.Context, rows []row) error {
	events := make([]*scan.Stored, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(rawAtOnce)
	for i, r := range rows {
		group.Go(func() (err error) {
			events[i], err = scan.At(ctx, p.conn, p.kinds, r.seq)
			if _, absent := errors.AsType[*scan.AbsentError](err); absent {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, e := range events {
		if e == nil {
			p.gone++
			continue
		}
		if _, err := p.to.Write(append(e.Data, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func (p *rawPrinter) end() error {
	if p.gone == 0 {
		return nil
	}
	return &problem.Error{
		Op:   fmt.Sprintf("read %s of the index from the stream", term.Count(p.gone, "event")),
		Err:  errors.New("the stream no longer holds them: it dropped them by its age or size, or they were removed"),
		Hint: "signal-client search --json prints what the index holds of them", Code: problem.Failed,
	}
}
