package buckets

import (
	"errors"
	"testing"
	"time"

	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// A session expires by itself, in NATS and for its readers, and can be ended earlier.
func TestLogins(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	st.OK(st.Store.EnsureConsole(t.Context(), 1))
	all := &Logins{Store: st.Store}
	now := time.Now()
	login := Login{User: "alice", Role: "admin", Via: "password", Proof: "x", CreatedAt: now.Round(0), ExpiresAt: now.Add(time.Hour).Round(0)}
	st.OK(all.Create(t.Context(), "abc", login))
	st.OK(schemas.Validate("console-session", jets.Encode(login)))
	got, err := all.Get(t.Context(), "abc")
	st.OK(err)
	if got.User != "alice" || got.Role != "admin" || !got.ExpiresAt.Equal(login.ExpiresAt) {
		t.Errorf("got %+v", got)
	}
	m, err := st.Store.Conn.Value(t.Context(), jets.BucketConsole, "session.abc")
	if err != nil || m.Header.Get("Nats-TTL") != "3599s" {
		t.Errorf("%v, %v", m, err)
	}
	st.OK(all.Delete(t.Context(), "abc"))
	st.OK(all.Delete(t.Context(), "abc"))
	if _, err := all.Get(t.Context(), "abc"); !errors.Is(err, jets.ErrNoMessage) {
		t.Errorf("after its end: %v", err)
	}
	login.ExpiresAt = now.Add(-time.Second)
	st.OK(all.Create(t.Context(), "old", login))
	if _, err := all.Get(t.Context(), "old"); !errors.Is(err, jets.ErrNoMessage) {
		t.Errorf("an expired one: %v", err)
	}
}

// Tokens are listed by age; a revoked one stays revoked, even if it was used meanwhile.
func TestTokens(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	all := &Logins{Store: st.Store}
	if none, err := all.Tokens(t.Context()); err != nil || len(none) > 0 {
		t.Errorf("without the bucket: %v, %v", none, err)
	}
	st.OK(st.Store.EnsureConsole(t.Context(), 1))
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	for i, id := range []string{"tokenbbb", "tokenaaa"} {
		token := Token{ID: id, Name: "grafana", Role: "viewer", Hash: "00", CreatedAt: now.Add(time.Duration(i) * time.Second)}
		st.OK(all.CreateToken(t.Context(), token))
		st.OK(schemas.Validate("console-token", jets.Encode(token)))
	}
	st.OK(all.Used(t.Context(), "tokenaaa", now))
	list, err := all.Tokens(t.Context())
	st.OK(err)
	if len(list) != 2 || list[0].ID != "tokenbbb" || list[0].LastUsed != "" || list[1].ID != "tokenaaa" || list[1].LastUsed != "2026-11-28" {
		t.Errorf("got %+v", list)
	}
	st.OK(all.Revoke(t.Context(), "tokenaaa"))
	for _, err := range []error{all.Revoke(t.Context(), "tokenaaa"), all.Used(t.Context(), "tokenaaa", now)} {
		if !errors.Is(err, jets.ErrNoMessage) {
			t.Errorf("a revoked one: %v", err)
		}
	}
	if _, err := all.Token(t.Context(), "tokenaaa"); !errors.Is(err, jets.ErrNoMessage) {
		t.Errorf("a revoked one: %v", err)
	}
}
