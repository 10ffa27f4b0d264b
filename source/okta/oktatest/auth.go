package oktatest

import (
	"net/http"
	"strings"
	"time"
)

// admit decides whether a request is served.
func (o *Org) admit(r *http.Request, fault Fault, now time.Time, h http.Header) *apiError {
	open := r.URL.Path == organizationPath
	method := http.MethodGet
	if r.URL.Path == TokenPath {
		open, method = true, http.MethodPost
	}
	if r.URL.Path != LogsPath && !open {
		return errPath
	}
	if r.Method != method {
		return errMethod
	}
	if open {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	token, err := o.authenticate(r, now, h)
	if err != nil {
		return err
	}
	if o.forbid {
		return errRole
	}
	if fault.Free {
		o.limiter.show(h, token, now)
		return nil
	}
	err = o.limiter.take(h, token, now, o.inFlight, &o.stats)
	if err != nil && o.limiter.Tell {
		uuid, data := o.gen.tell(kind{play: shareViolation}, now)
		o.log.add(o.complete(Event{UUID: uuid, Data: data, Published: now.Truncate(time.Millisecond)}, now))
	}
	return err
}

// authenticate returns whose share of the limit a request is within: its API token's, or its
// app's.
func (o *Org) authenticate(r *http.Request, now time.Time, h http.Header) (string, *apiError) {
	if scheme, token, ok := accessToken(r.Header.Get("Authorization")); ok {
		return o.bearer(r, scheme, token, now, h)
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "SSWS ")
	if !ok || token == "" || o.tokens != nil && !o.tokens[token] {
		return "", errToken
	}
	return token, nil
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
