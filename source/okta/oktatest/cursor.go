package oktatest

import (
	"strconv"
	"strings"
	"time"
)

// generation separates, in a cursor's second number, the place in the log from the number
// of expiries before the cursor was made.
const generation = 1_000_000_000_000

// cursorRules decide which cursors are refused.
type cursorRules struct {
	expired int64     // cursors of earlier generations are refused
	floor   time.Time // cursors before this time are refused
	refuse  int       // how many further requests with a cursor are refused

	wording *apiError // of a refusal; nil: that of an invalid parameter
}

// refusal returns the error of a refused cursor.
func (c *cursorRules) refusal() *apiError {
	if c.wording != nil {
		return c.wording
	}
	return invalidCursor()
}

// CursorRefusals lists ways to refuse a cursor that is too old: Okta documents none, and
// a gateway may answer in its place. The first one is the simulated org's own.
func CursorRefusals() []Fault {
	return []Fault{
		{},
		{Name: "after without quotes", Status: 400, Code: "E0000001", Summary: "Invalid value for after"},
		{Name: "a valid value", Status: 400, Code: "E0000001", Summary: "API validation failed: must be a valid value."},
		{Name: "since too old", Status: 400, Code: "E0000053", Summary: "Invalid parameter: The after parameter is too old."},
		{Name: "400 without a body", Status: 400},
		{Name: "400 in HTML", Status: 400, Body: htmlPage("400 Bad Request", "Bad request.")},
		{Name: "404", Status: 404, Code: "E0000007", Summary: "Not found: Resource not found: logs (Api)"},
		{Name: "404 in HTML", Status: 404, Body: htmlPage("404 Not Found", "nginx")},
		{Name: "410 without a body", Status: 410},
	}
}

// RefuseCursorsAs sets how the org refuses cursors: one of CursorRefusals.
func (o *Org) RefuseCursorsAs(f Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cursors.wording = nil
	if f.Status == 0 {
		return
	}
	o.cursors.wording = &apiError{status: f.Status, code: f.Code, summary: f.Summary}
	if f.Code == "" {
		o.cursors.wording.raw = &f.Body
	}
}

// format formats a cursor as Okta does, <millis>_<n>.
func (c *cursorRules) format(k key) string {
	return strconv.FormatInt(k.millis, 10) + "_" + strconv.FormatInt(c.expired*generation+k.serial, 10)
}

// parse parses a polling cursor; not ok: it is refused.
func (c *cursorRules) parse(after string, log *eventLog) (k key, ok bool) {
	if c.refuse > 0 {
		c.refuse--
		return key{}, false
	}
	millis, n, ok := strings.Cut(after, "_")
	if !ok {
		return key{}, false
	}
	var errMillis, errN error
	k.millis, errMillis = strconv.ParseInt(millis, 10, 64)
	k.serial, errN = strconv.ParseInt(n, 10, 64)
	if errMillis != nil || errN != nil || k.serial < 0 || k.serial/generation != c.expired {
		return key{}, false
	}
	k.serial %= generation
	if time.UnixMilli(k.millis).Before(c.floor) {
		return key{}, false
	}
	return k, k.serial == 0 || log.holds(k)
}

// ExpireCursors makes the org refuse every polling cursor issued so far.
func (o *Org) ExpireCursors() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cursors.expired++
}

// ExpireCursorsBefore makes the org refuse polling cursors for places in the log before
// t; the zero time: none.
func (o *Org) ExpireCursorsBefore(t time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cursors.floor = t
}

// RefuseCursors makes the org refuse the next n requests with a polling cursor.
func (o *Org) RefuseCursors(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cursors.refuse = n
}
