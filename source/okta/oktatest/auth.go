package oktatest

import (
	"net/http"
	"strings"
	"time"
)

// admit decides whether a request is served.
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

// Revoke makes the org refuse a token with 401 from now on. An org that accepts any token
// then refuses all others as well: name them in Config.Tokens.
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

// Forbid makes the org refuse every token with 403, as if its owner lacked the role,
// until called with false.
func (o *Org) Forbid(forbid bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forbid = forbid
}
