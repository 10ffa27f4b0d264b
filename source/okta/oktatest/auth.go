package oktatest

import (
	"net/http"
	"strings"
	"time"
)

// admit decides whether the request is served at all.
func (o *Org) admit(r *http.Request, fault Fault, now time.Time, h http.Header) *apiError {
	open := r.URL.Path == organizationPath
	if r.URL.Path != LogsPath && !open {
		return errPath
	}
	if r.Method != http.MethodGet {
		return errMethod
	}
	if open {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "SSWS ")
	if !ok || token == "" || o.tokens != nil && !o.tokens[token] {
		return errToken
	}
	if o.forbid {
		return errRole
	}
	if fault.Free {
		o.limiter.show(h, token, now)
		return nil
	}
	err := o.limiter.take(h, token, now, o.inFlight, &o.stats)
	if err != nil && o.limiter.Tell {
		uuid, data := o.gen.tell(kind{play: shareViolation}, now)
		o.log.add(o.complete(Event{UUID: uuid, Data: data, Published: now.Truncate(time.Millisecond)}, now))
	}
	return err
}

// Revoke makes the org refuse a token from now on, with 401. In an org that
// accepts any token all others are refused as well: name them in Config.Tokens.
func (o *Org) Revoke(token string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tokens == nil {
		o.tokens = make(map[string]bool)
	}
	o.tokens[token] = false
}

// Restore makes the org accept a token from now on.
func (o *Org) Restore(token string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tokens == nil {
		o.tokens = make(map[string]bool)
	}
	o.tokens[token] = true
}

// Forbid makes the org refuse every token with 403, as one whose owner lacks
// the role, until it is called with false.
func (o *Org) Forbid(forbid bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forbid = forbid
}
