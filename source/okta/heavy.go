package okta

import (
	"errors"
	"net/http"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
)

// heavy makes pages smaller while full ones are too much for the org: its query takes too long,
// a gateway gives up, or the body is late. The second such failure in a row, and each further
// one, halves the limit; pages that arrive let it grow back.
type heavy struct {
	failures int  // in a row
	limit    int  // elements of a page; 0: the link's own
	pages    int  // pages since the limit was changed
	raised   bool // the limit was raised, and no page has arrived since
}

// raiseAfter is how many pages must arrive before the limit is doubled.
const raiseAfter = 8

func (h *heavy) apply(link pipeline.Link) pipeline.Link {
	if h.limit == 0 || h.limit >= LimitOf(link) {
		return link
	}
	return withLimit(link, h.limit)
}

// failed records a failed attempt; failures of other kinds don't count.
func (h *heavy) failed(asked pipeline.Link, err error) {
	if !tooHeavy(err) {
		return
	}
	if h.failures++; h.failures < 2 && !h.raised {
		return
	}
	*h = heavy{failures: h.failures, limit: max(1, LimitOf(asked)/2)}
}

func (h *heavy) arrived(link pipeline.Link) {
	h.failures, h.raised = 0, false
	if h.limit == 0 {
		return
	}
	if h.pages++; h.pages < raiseAfter {
		return
	}
	*h = heavy{limit: 2 * h.limit, raised: true}
	if h.limit >= LimitOf(link) {
		h.limit = 0
	}
}

// tooHeavy reports whether the size of a request may have caused an error. Okta answers a
// query that took too long with status 500 and E0000009.
func tooHeavy(err error) bool {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Status == http.StatusGatewayTimeout ||
			refusal.Status == http.StatusInternalServerError && refusal.Code == "E0000009"
	}
	at, known := errors.AsType[*source.PhaseError](err)
	return errors.Is(err, source.ErrLate) && (!known || at.Phase == source.PhaseStart || at.Phase >= source.PhaseHeader)
}
