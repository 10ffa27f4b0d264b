package buckets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Login is a user's session in a browser. Its key has the hash of the session's id, so
// that nobody who reads the bucket can use it.
type Login struct {
	User      string    `json:"user"`
	Role      string    `json:"role"`
	Via       string    `json:"via"`             // password or oidc
	Proof     string    `json:"proof,omitempty"` // changes with the user's password
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Token is an API token. Its secret is stored as a hash.
type Token struct {
	ID        string    `json:"id"` // part of the key, and of the token
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	Hash      string    `json:"hash"` // SHA-256 of the secret, in hexadecimal
	CreatedAt time.Time `json:"created_at"`
	LastUsed  string    `json:"last_used,omitempty"` // a day, in UTC; empty: never
}

// Logins reads and writes sessions and API tokens in the bucket CONSOLE.
type Logins struct {
	Store *jets.Store
}

// markerKept is how long the marker of a deleted key is kept.
const markerKept = time.Minute

func loginKey(hash string) string { return "session." + hash }
func tokenKey(id string) string   { return "token." + id }

// Create writes a new session, which expires by itself.
func (l *Logins) Create(ctx context.Context, hash string, login Login) error {
	header := nats.Header{}
	seconds := max(1, int64(time.Until(login.ExpiresAt)/time.Second))
	header.Set("Nats-TTL", strconv.FormatInt(seconds, 10)+"s")
	_, err := l.Store.Conn.Put(ctx, jets.BucketConsole, loginKey(hash), 0, &nats.Msg{Data: jets.Encode(login), Header: header})
	return err
}

// Get reads a session. Its error matches jets.ErrNoMessage if there is none.
func (l *Logins) Get(ctx context.Context, hash string) (Login, error) {
	var login Login
	_, err := l.read(ctx, loginKey(hash), &login)
	if err == nil && !time.Now().Before(login.ExpiresAt) {
		err = jets.ErrNoMessage
	}
	return login, err
}

// Delete ends a session. One that does not exist has ended.
func (l *Logins) Delete(ctx context.Context, hash string) error {
	err := l.remove(ctx, loginKey(hash))
	if errors.Is(err, jets.ErrNoMessage) {
		return nil
	}
	return err
}

// CreateToken writes a new token.
func (l *Logins) CreateToken(ctx context.Context, t Token) error {
	_, err := l.Store.Conn.Put(ctx, jets.BucketConsole, tokenKey(t.ID), 0, &nats.Msg{Data: jets.Encode(t)})
	return err
}

// Token reads a token. Its error matches jets.ErrNoMessage if there is none.
func (l *Logins) Token(ctx context.Context, id string) (Token, error) {
	var t Token
	_, err := l.read(ctx, tokenKey(id), &t)
	t.ID = id
	return t, err
}

// Tokens lists the tokens, the oldest first. A bucket that does not exist is empty.
func (l *Logins) Tokens(ctx context.Context) ([]Token, error) {
	all := []Token{}
	err := l.Store.Conn.Each(ctx, jets.BucketConsole, tokenKey(">"), false, func(e jets.KVEntry) {
		var t Token
		if !e.Gone && json.Unmarshal(e.Value, &t) == nil {
			t.ID = strings.TrimPrefix(e.Key, tokenKey(""))
			all = append(all, t)
		}
	})
	slices.SortFunc(all, func(a, b Token) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID)) })
	return all, jets.IgnoreMissingBucket(err)
}

// Used notes the day on which a token was used. A token that was revoked meanwhile stays
// revoked.
func (l *Logins) Used(ctx context.Context, id string, day time.Time) error {
	var t Token
	revision, err := l.read(ctx, tokenKey(id), &t)
	if err != nil {
		return err
	}
	t.ID, t.LastUsed = id, day.UTC().Format(time.DateOnly)
	_, err = l.Store.Conn.Put(ctx, jets.BucketConsole, tokenKey(id), revision, &nats.Msg{Data: jets.Encode(t)})
	return err
}

// Revoke deletes a token. Its error matches jets.ErrNoMessage if there is none.
func (l *Logins) Revoke(ctx context.Context, id string) error { return l.remove(ctx, tokenKey(id)) }

// read decodes a key's value into v.
func (l *Logins) read(ctx context.Context, key string, v any) (revision uint64, err error) {
	m, err := l.Store.Conn.Value(ctx, jets.BucketConsole, key)
	if err != nil {
		return 0, err
	}
	if m.Data == nil {
		return m.Seq, jets.ErrNoMessage
	}
	if err := json.Unmarshal(m.Data, v); err != nil {
		return m.Seq, fmt.Errorf("read %s in %s: %w", key, jets.BucketConsole, err)
	}
	return m.Seq, nil
}

// remove deletes a key, whoever else writes it; its marker expires.
func (l *Logins) remove(ctx context.Context, key string) error {
	for {
		m, err := l.Store.Conn.Value(ctx, jets.BucketConsole, key)
		if err != nil {
			return err
		}
		if m.Data == nil {
			return jets.ErrNoMessage
		}
		header := nats.Header{"KV-Operation": {"DEL"}, "Nats-TTL": {strconv.Itoa(int(markerKept.Seconds())) + "s"}}
		if _, err = l.Store.Conn.Put(ctx, jets.BucketConsole, key, m.Seq, &nats.Msg{Header: header}); !errors.Is(err, pipeline.ErrChanged) {
			return err
		}
	}
}
