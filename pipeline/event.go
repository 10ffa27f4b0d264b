package pipeline

import "time"

// Link is the path and query of one request, such as
// "/api/v1/logs?limit=999&after=1627500044869_1". It never holds a scheme or
// a host, so a stored one can't send a credential elsewhere.
type Link string

// Event is one element of a page.
type Event struct {
	Data      []byte    // the element's bytes as the org sent them
	UUID      string    // the org's id of it; empty: it is no event, and Flaw says why
	Type      string    // eventType; empty when absent or not a string
	Published time.Time // zero when absent or not a time
	Time      string    // published as it was given; empty when Published is zero
	Flaw      Flaw      // empty for an event
}

// Flaw says why an element can't be published. It is the header Signal-Reason
// of a dead letter and a label of its metric, so the set is fixed.
type Flaw string

const (
	FlawNotObject Flaw = "not_an_object" // the element is no JSON object
	FlawNoUUID    Flaw = "no_uuid"       // no uuid, or one that is no non-empty printable string
	FlawTooLarge  Flaw = "too_large"     // larger than the server takes

	// FlawConflict is that of an event whose uuid came before, with other bytes.
	FlawConflict Flaw = "conflicting_repeat"
)

// Flaws lists every Flaw.
var Flaws = []Flaw{FlawNotObject, FlawNoUUID, FlawTooLarge, FlawConflict}

// Page is one answer of the org.
type Page struct {
	Link   Link      // the link that served it
	Events []Event   // every element, in the org's order
	Next   Link      // the link to go on from; Link itself when the answer named none
	Limit  int       // elements that the link asked for; 0: not known
	Full   bool      // it holds so many
	Date   time.Time // the org's clock when it answered; zero when the answer had none
	Bytes  int       // size of the body, inflated

	// Memory is what the page takes of its process's memory for pages. Whoever
	// asked the Source for the page releases it once the page is done with: a
	// page that is forgotten takes its room away from all others. nil: nothing.
	Memory *Grant

	// The Runner sets what follows, by what the pages before it showed; it replaces a Date that is
	// not to be believed as well.

	// Through is the watermark that committing this page, after all pages
	// before it, makes true; zero: it proves nothing.
	Through time.Time

	// CaughtUp says that all that the org had persisted when the Runner last synced or
	// reopened is in this page and those before it.
	CaughtUp bool

	// More says that more of the log is waiting: the page is followed at once.
	More bool
}
