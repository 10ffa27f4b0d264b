package buckets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets"
)

// Actions of a Change.
const (
	ActionCreated = "created"
	ActionChanged = "changed"
	ActionRemoved = "removed"
)

// What a FieldChange says of a secret, in To; From is then absent.
const (
	SecretSet     = "set"
	SecretChanged = "changed"
	SecretRemoved = "removed"
)

const changeVersion = 1

// Change is who changed what of an integration. It holds no secret.
type Change struct {
	Version  int           `json:"version"`
	At       time.Time     `json:"at"`
	Who      string        `json:"who"`    // user of the console, or of the machine: ann@host
	Via      string        `json:"via"`    // cli, rotation (the service), or how the user got into the console: loopback, password, oidc, proxy, token
	Action   string        `json:"action"` // created, changed or removed
	Fields   []FieldChange `json:"fields"`
	Revision uint64        `json:"revision"` // of the key in INTEGRATIONS that this change made
}

// FieldChange is a changed member of an integration.
type FieldChange struct {
	Field string `json:"field"` // path, such as settings.fqdn
	From  any    `json:"from,omitempty"`
	To    any    `json:"to,omitempty"` // of a secret: set, changed or removed
}

// Changes reads and writes the bucket CHANGES.
type Changes struct{ Store *jets.Store }

// Write adds a change of an instance. It creates the bucket if there is none; in an account
// without room for the bucket, changes are not recorded, which is no error.
func (c *Changes) Write(ctx context.Context, instance string, change Change) error {
	change.Version = changeVersion
	if change.Fields == nil {
		change.Fields = []FieldChange{} // [] rather than null
	}
	err := c.write(ctx, instance, change)
	if jets.StreamChanged(err) {
		err = c.Store.EnsureChanges(ctx)
		if errors.Is(err, jets.ErrLeftOut) {
			return nil // the log says so
		}
		if err != nil {
			return err
		}
		err = c.write(ctx, instance, change)
	}
	return err
}

func (c *Changes) write(ctx context.Context, instance string, change Change) error {
	_, err := c.Store.Publisher.Publish(ctx, []*nats.Msg{{
		Subject: c.Store.Conn.PutSubject(jets.BucketChanges, jets.Key(c.Store.Kind.Name, instance)),
		Data:    jets.Encode(change), Header: nats.Header{},
	}})
	return err
}

// Of returns an instance's changes that are kept, newest first. A bucket that does not
// exist is empty; a value that can't be read is left out.
func (c *Changes) Of(ctx context.Context, instance string) ([]Change, error) {
	all := []Change{}
	if !jets.IsKey(instance) {
		return all, nil
	}
	var err error
	for _, kind := range c.Store.Kinds {
		err = cmp.Or(err, c.Store.Conn.Each(ctx, jets.BucketChanges, jets.Key(kind.Name, instance), true, func(e jets.KVEntry) {
			var change Change
			if !e.Gone && json.Unmarshal(e.Value, &change) == nil {
				all = append(all, change)
			}
		}))
	}
	slices.Reverse(all)
	return all, jets.IgnoreMissingBucket(err)
}
