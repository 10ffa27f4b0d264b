package buckets

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Search is a saved search, which all users of the console share.
type Search struct {
	ID        string    `json:"id"` // part of the key: lower-case letters, digits and hyphens
	Name      string    `json:"name"`
	Query     string    `json:"query"`             // LogsQL, as typed
	Range     string    `json:"range,omitempty"`   // how far back, such as 24h, or two times in RFC 3339 with a slash between; empty: the page's default
	By        string    `json:"by,omitempty"`      // the time that Range means: "stored"; empty: when the event happened
	Columns   []string  `json:"columns,omitempty"` // none: the page's default
	Author    string    `json:"author,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// Searches reads and writes the saved searches in the bucket CONSOLE.
type Searches struct {
	Store *jets.Store
}

// searchKey returns a search's key.
func searchKey(id string) string { return "search." + id }

// All reads the searches once, by name. A bucket that does not exist is empty; a value
// that can't be read is left out.
func (s *Searches) All(ctx context.Context) ([]Search, error) {
	all := []Search{}
	err := s.Store.Conn.Each(ctx, jets.BucketConsole, searchKey(">"), false, func(e jets.KVEntry) {
		var search Search
		if !e.Gone && json.Unmarshal(e.Value, &search) == nil {
			search.ID = strings.TrimPrefix(e.Key, searchKey(""))
			all = append(all, search)
		}
	})
	slices.SortFunc(all, func(a, b Search) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return all, jets.IgnoreMissingBucket(err)
}

// Create writes a new search. Its error matches pipeline.ErrChanged if there is one with
// that ID.
func (s *Searches) Create(ctx context.Context, search Search) error {
	m, err := s.Store.Conn.Value(ctx, jets.BucketConsole, searchKey(search.ID))
	if err != nil {
		return err
	}
	if m.Data != nil {
		return fmt.Errorf("search %q exists: %w", search.ID, pipeline.ErrChanged)
	}
	_, err = s.Store.Conn.Put(ctx, jets.BucketConsole, searchKey(search.ID), m.Seq, &nats.Msg{Data: jets.Encode(search)})
	return err
}

// Delete deletes a search. Its error matches jets.ErrNoMessage if there is none.
func (s *Searches) Delete(ctx context.Context, id string) error {
	m, err := s.Store.Conn.Value(ctx, jets.BucketConsole, searchKey(id))
	if err != nil {
		return err
	}
	if m.Data == nil {
		return jets.ErrNoMessage
	}
	_, err = s.Store.Conn.Put(ctx, jets.BucketConsole, searchKey(id), m.Seq, &nats.Msg{Header: nats.Header{"KV-Operation": []string{"DEL"}}})
	return err
}
