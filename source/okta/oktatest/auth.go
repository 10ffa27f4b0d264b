package oktatest

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
