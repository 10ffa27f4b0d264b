package oktatest

import (
	"net/http"
	"slices"
	"time"
)

// Request is a request that the org received.
type Request struct {
	N          int       // the first is 1
	Time       time.Time // when it arrived, by the org's clock
	Method     string
	Host       string // of the request
	Link       string // path and query
	Credential bool   // it had an Authorization header
	Cookie     bool   // it had a Cookie header
	UserAgent  string

	// Known once it has been answered.
	Status int    // 0: no answer
	Events int    // elements served
	Fault  string // name of the fault, if it has one
}

// Stats are the org's counts since it was made.
type Stats struct {
	Requests      int // all that arrived
	Answered      int // with a page
	Events        int // elements served in pages
	Refused       int // 401 and 403
	Grants        int // access tokens
	GrantsRefused int // requests for one that were refused
	Violations    int // 429 for a bucket or share used up
	Concurrency   int // 429 for requests in flight
	MaxWindow     int // most requests of one token served in one window
	MaxInFlight   int
}

// arrive counts a request.
func (o *Org) arrive(r *http.Request) Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Requests++
	o.inFlight++
	o.stats.MaxInFlight = max(o.stats.MaxInFlight, o.inFlight)
	return Request{
		N: o.stats.Requests, Time: o.Now(), Method: r.Method, Host: r.Host, Link: r.URL.RequestURI(),
		Credential: r.Header.Get("Authorization") != "", Cookie: r.Header.Get("Cookie") != "", UserAgent: r.UserAgent(),
	}
}

// leave records the request's result.
func (o *Org) leave(req Request, a answer, fault Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight--
	req.Status, req.Events, req.Fault = a.status, a.events, fault.Name
	switch a.status {
	case http.StatusOK:
		if a.page {
			o.stats.Answered++
			o.stats.Events += a.events
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		o.stats.Refused++
	}
	switch keep := o.config.Requests; {
	case keep < 0:
	case len(o.requests) < keep:
		o.requests = append(o.requests, req)
	default:
		o.requests[o.stored%keep] = req
	}
	o.stored++
}

// Requests returns the newest ended requests, in the order in which they ended.
func (o *Org) Requests() []Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	if keep := o.config.Requests; keep > 0 && o.stored > keep {
		return slices.Concat(o.requests[o.stored%keep:], o.requests[:o.stored%keep])
	}
	return slices.Clone(o.requests)
}

// Stats returns the counts.
func (o *Org) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stats
}
