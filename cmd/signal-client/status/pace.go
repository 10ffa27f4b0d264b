package status

import (
	"fmt"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/overview"
)

func paceCells(p overview.Pace, people bool) []any {
	rate, rest := "", ""
	if people {
		rate, rest = "-", "-"
	}
	if p.PerMinute != nil {
		rate = fmt.Sprintf("%.0f", *p.PerMinute)
	}
	switch {
	case p.CatchUpSec != nil && people:
		rest = term.Span(time.Duration(*p.CatchUpSec * float64(time.Second)))
	case p.CatchUpSec != nil:
		rest = fmt.Sprintf("%.0f", *p.CatchUpSec)
	}
	return []any{rate, rest}
}

func percent(part float64) string { return fmt.Sprintf("%.0f %%", part*100) }
