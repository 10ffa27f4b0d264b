package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// tokenPrefix begins every API token, so that scanners of secrets know one. A token is
// sct_<id>_<secret>.
const tokenPrefix = "sct_"

// tokenIDLength is the length of a token's id: enough that no two are the same.
const tokenIDLength = 12

// NewToken makes an API token and stores it. It returns the token, which can't be shown
// again.
func NewToken(ctx context.Context, logins *buckets.Logins, name string, role Role) (token string, stored buckets.Token, err error) {
	if !role.Valid() {
		return "", stored, fmt.Errorf("the role must be viewer or admin, not %q", role)
	}
	id, secret := strings.ToLower(rand.Text()[:tokenIDLength]), rand.Text()
	stored = buckets.Token{ID: id, Name: name, Role: string(role), Hash: hashOf(secret), CreatedAt: time.Now().UTC().Truncate(time.Second)}
	return tokenPrefix + id + "_" + secret, stored, logins.CreateToken(ctx, stored)
}

// byToken returns the user of the API token in a request's header.
func (a *Access) byToken(r *http.Request) (User, error) {
	id, secret, ok := parseToken(r.Header.Values("Authorization"))
	if !ok {
		return User{}, errToken
	}
	logins := a.logins.Load()
	if logins == nil {
		return User{}, errNotOpen
	}
	t, err := logins.Token(r.Context(), id)
	if errors.Is(err, jets.ErrNoMessage) {
		return User{}, errToken
	}
	if err != nil {
		return User{}, err
	}
	if subtle.ConstantTimeCompare([]byte(hashOf(secret)), []byte(t.Hash)) != 1 || !Role(t.Role).Valid() {
		return User{}, errToken
	}
	a.used(r.Context(), logins, t)
	return User{Name: t.Name, Role: Role(t.Role), Via: ViaToken}, nil
}

// hasToken reports whether a request's credentials look like an API token.
func hasToken(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values("Authorization"), func(v string) bool {
		_, credentials, _ := strings.Cut(v, " ")
		return strings.HasPrefix(strings.TrimSpace(credentials), tokenPrefix)
	})
}

// parseToken reads "Bearer sct_<id>_<secret>".
func parseToken(headers []string) (id, secret string, ok bool) {
	if len(headers) != 1 {
		return "", "", false
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	token, ours := strings.CutPrefix(strings.TrimSpace(token), tokenPrefix)
	id, secret, two := strings.Cut(token, "_")
	known := func(c rune) bool { return c >= 'a' && c <= 'z' || c >= '2' && c <= '7' }
	ok = strings.EqualFold(scheme, "Bearer") && ours && two && len(id) == tokenIDLength && len(secret) == idLength &&
		strings.IndexFunc(id, func(c rune) bool { return !known(c) }) < 0
	return id, secret, ok
}

// used notes the day of a token's use: once a day, and nobody waits for who is faster.
func (a *Access) used(ctx context.Context, logins *buckets.Logins, t buckets.Token) {
	now := time.Now()
	if t.LastUsed == now.UTC().Format(time.DateOnly) {
		return
	}
	if err := logins.Used(ctx, t.ID, now); err != nil {
		a.log.Debug("console: the use of an API token was not noted", "token", t.ID, "err", err)
	}
}
