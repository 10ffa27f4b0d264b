package pipeline

import "time"

// Link is the path and query of one request, such as
// "/api/v1/logs?limit=999&after=1627500044869_1". It never holds a scheme or a host, so a
// stored link can't send a credential elsewhere.
type Link string

// Event is one element of a page.
type Event struct {
	Data      []byte    // the element's bytes as the org sent them
	UUID      string    // the org's id; empty: not an event, see Flaw
	Type      string    // eventType; empty when absent or not a string
	Published time.Time // zero when absent or not a time
	Time      string    // published as the org wrote it; empty when Published is zero
	Flaw      Flaw      // empty for an event that can be published
}

// Flaw is the reason why an element can't be published. It is the header Signal-Reason of
// a dead letter and a label of its metric, so the set is fixed.
type Flaw string

const (
	FlawNotObject Flaw = "not_an_object" // not a JSON object
	FlawNoUUID    Flaw = "no_uuid"       // no uuid, or one that is not a non-empty printable string
	FlawTooLarge  Flaw = "too_large"     // larger than the server takes
	FlawTooDeep   Flaw = "too_deep"      // nests deeper than readers of JSON take

	// FlawConflict: an earlier event has the same uuid, but other bytes.
	FlawConflict Flaw = "conflicting_repeat"
)

// Flaws lists every Flaw.
var Flaws = []Flaw{FlawNotObject, FlawNoUUID, FlawTooLarge, FlawTooDeep, FlawConflict}

// Page is one answer of the org.
type Page struct {
	Link   Link      // the link that served it
	Events []Event   // every element, in the org's order
	Next   Link      // the link to continue from; Link itself when the answer named none
	Limit  int       // how many elements the link asked for; 0: not known
	Full   bool      // the page has Limit elements
	Date   time.Time // the org's clock when it answered; zero when the answer had none
	Bytes  int       // size of the body, inflated

	// Memory is the page's share of the memory that the process allows for pages.
	// Invariant: the caller of Source.Poll releases it; a page that is not released takes
	// memory away from all others. nil: none.
	Memory *Grant

	// The Runner sets the fields below, using the pages before this one. It also replaces
	// a Date that its Clock does not accept.

	// Org is the org's own id; empty: not known.
	Org string

	// Through is the watermark that holds once this page and all pages before it are
	// committed; zero: none is proved.
	Through time.Time

	// CaughtUp says that this page and those before it hold everything that the org had
	// persisted when the Runner last synced or reopened.
	CaughtUp bool

	// More says that more events are waiting: the next page is requested at once.
	More bool
}
