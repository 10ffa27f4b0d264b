package oktatest

import (
	"net/http"
	"time"
)

// Fault is what goes wrong with one answer. The zero value is no fault; fields combine.
// Faults lists one of each kind.
type Fault struct {
	Name string // display name

	// Before the answer.
	Wait       time.Duration // the answer is delayed by this
	Disconnect bool          // the connection ends without an answer
	Free       bool          // the request does not count against any budget

	// Instead of the page.
	Status  int    // answer with this status; with Code as one of Okta's errors
	Code    string // its errorCode
	Summary string // its errorSummary
	Bare    bool   // without errorLink, errorId and errorCauses
	Body    string // this body, with Status 200 if that is 0
	Empty   bool   // an empty body, with Status 200 if that is 0
	Bomb    int64  // a compressed body of this many spaces in an array that is never closed

	// About the page.
	Inject []string // elements inserted between the page's own, within its limit
	Repeat int      // this many of the page's events are in it twice
	Next   Next     // target of the next link

	// About the headers.
	Header   http.Header   // set on the answer; an entry without values removes the header
	NoBudget bool          // no X-Rate-Limit headers
	Skew     time.Duration // added to Date

	// About the body.
	Slow     time.Duration // the body takes this long
	Short    float64       // this share of the JSON is missing at its end
	Truncate float64       // this share of the (possibly compressed) body is missing at its end, but the answer ends regularly
	Cut      float64       // as Truncate, but the connection is reset
	Length   int           // added to the announced Content-Length; positive: the body is too short for it
}

// Next is the target of a page's next link.
type Next int

const (
	NextRight     Next = iota // the correct one
	NextAbsent                // there is none
	NextSelf                  // to the page itself
	NextOtherHost             // to the same query on NextHost
	NextUserInfo              // to the org, with a user and password before the host
	NextOtherPath             // to another path of the org
)

// NextHost is the foreign host that hostile links and redirects lead to.
const NextHost = "logs.collector.example"

// faultFor asks the hook set by SetFault. Without a hook, and for every odd request,
// there is no fault.
func (o *Org) faultFor(req Request) Fault {
	o.mu.Lock()
	hook := o.fault
	o.mu.Unlock()
	if hook == nil {
		return Fault{}
	}
	return hook(req)
}

// replaces reports whether the fault replaces the page.
func (f Fault) replaces() bool { return f.Status != 0 || f.Body != "" || f.Empty || f.Bomb > 0 }

func (f Fault) status() int {
	if f.Status == 0 {
		return http.StatusOK
	}
	return f.Status
}
