package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// sessionTime is how long a session lasts.
const sessionTime = 12 * time.Hour

// idLength is the length of a session's id: rand.Text has at least 128 bits.
var idLength = len(rand.Text())

// cookieName returns the session cookie's name. A browser takes one with the prefix
// __Host- from this very host over TLS only, so that no neighbour can plant one.
func (a *Access) cookieName() string {
	if a.secure() {
		return "__Host-signal-client"
	}
	return "signal-client"
}

// secure reports whether browsers reach the console by TLS.
func (a *Access) secure() bool { return a.config.TLS || strings.HasPrefix(a.config.URL, "https:") }

func (a *Access) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: a.cookieName(), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: a.secure(), SameSite: http.SameSiteLaxMode,
	}
}

// hashOf returns what is stored of a session's id or a token's secret. They are random,
// so a plain hash is enough.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// sessionID returns the session id that a request shows; empty: none.
func (a *Access) sessionID(r *http.Request) string {
	c, err := r.Cookie(a.cookieName())
	if err != nil || len(c.Value) != idLength {
		return ""
	}
	return c.Value
}

// bySession returns the user of a request's session.
func (a *Access) bySession(r *http.Request) (User, error) {
	id := a.sessionID(r)
	if id == "" {
		return User{}, errNobody
	}
	logins := a.logins.Load()
	if logins == nil {
		return User{}, errNotOpen
	}
	login, err := logins.Get(r.Context(), hashOf(id))
	if errors.Is(err, jets.ErrNoMessage) {
		return User{}, errNobody
	}
	if err != nil {
		return User{}, err
	}
	return a.still(login)
}

// still returns the user of a session, if who logged in then could do so now.
func (a *Access) still(login buckets.Login) (User, error) {
	user := User{Name: login.User, Role: Role(login.Role), Via: login.Via}
	switch {
	case user.Via == ViaPassword && a.passwords != nil:
		u, ok := a.passwords.User(user.Name)
		if !ok || u.proof() != login.Proof {
			return User{}, errNobody
		}
		user.Role = u.role
		return user, nil
	case user.Via == ViaOIDC && a.config.OIDC != nil && user.Role.Valid():
		return user, nil
	}
	return User{}, errNobody
}

// begin starts a session with an id of its own, whatever the browser had before, which
// ends.
func (a *Access) begin(w http.ResponseWriter, r *http.Request, user User, proof string) error {
	logins := a.logins.Load()
	if logins == nil {
		return errNotOpen
	}
	id, now := rand.Text(), time.Now()
	err := logins.Create(r.Context(), hashOf(id), buckets.Login{
		User: user.Name, Role: string(user.Role), Via: user.Via, Proof: proof, CreatedAt: now.UTC(), ExpiresAt: now.Add(sessionTime).UTC(),
	})
	if err != nil {
		return err
	}
	a.end(r)
	http.SetCookie(w, a.cookie(id, int(sessionTime.Seconds())))
	a.log.Info("console: logged in", "user", user.Name, "role", user.Role, "via", user.Via, "address", a.addressOf(r))
	return nil
}

// end ends the request's session, if it has one.
func (a *Access) end(r *http.Request) {
	id, logins := a.sessionID(r), a.logins.Load()
	if id == "" || logins == nil {
		return
	}
	if err := logins.Delete(r.Context(), hashOf(id)); err != nil {
		a.log.Warn("console: a session could not be ended; it ends by itself within 12 hours", "err", err)
	}
}
