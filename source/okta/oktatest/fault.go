package oktatest

import (
	"net/http"
	"time"
)

// Fault is what goes wrong with one answer. The zero value is nothing; what is
// set adds up. Faults lists one of each kind.
type Fault struct {
	Name string // display name

	// Before the answer.
	Wait       time.Duration // the answer begins that late
	Disconnect bool          // the connection ends without an answer
	Free       bool          // the request does not count against any budget

	// Instead of the page.
	Status  int    // an answer of this status; with Code one of Okta's errors
	Code    string // its errorCode
	Summary string // its errorSummary
	Bare    bool   // without errorLink, errorId and errorCauses
	Body    string // this body, with Status 200 if that is 0
	Empty   bool   // an empty body, with Status 200 if that is 0
	Bomb    int64  // a compressed body of so many spaces in an array that never closes

	// About the page.
	Inject []string // elements put between the page's own, within its limit
	Repeat int      // so many of the page's events are in it twice
	Next   Next     // where the next link leads

	// About the headers.
	Header   http.Header   // set on the answer; one without values is taken away
	NoBudget bool          // no X-Rate-Limit headers
	Skew     time.Duration // added to Date

	// About the body.
	Slow     time.Duration // the body takes that long
	Short    float64       // this share of the JSON is missing at its end
	Truncate float64       // this share of it, compressed perhaps, is missing at its end, and the answer ends as if whole
	Cut      float64       // as Truncate, but the connection is reset
	Length   int           // added to the Content-Length that is announced; positive: the body falls short of it
}

// Next is where the next link of a page leads.
type Next int

const (
	NextRight     Next = iota // where it should
	NextAbsent                // there is none
	NextSelf                  // to the page itself
	NextOtherHost             // to the same query on NextHost
	NextUserInfo              // to the org, with a user and password before the host
	NextOtherPath             // to another path of the org
)

// NextHost is the foreign host that hostile links and redirects lead to.
const NextHost = "logs.collector.example"

// faultFor asks the hook. A request without one, and every odd one, is served right.
func (o *Org) faultFor(req Request) Fault {
	o.mu.Lock()
	hook := o.fault
	o.mu.Unlock()
	if hook == nil {
		return Fault{}
	}
	return hook(req)
}

// replaces reports whether the fault puts something in the page's place.
func (f Fault) replaces() bool { return f.Status != 0 || f.Body != "" || f.Empty || f.Bomb > 0 }

func (f Fault) status() int {
	if f.Status == 0 {
		return http.StatusOK
	}
	return f.Status
}
