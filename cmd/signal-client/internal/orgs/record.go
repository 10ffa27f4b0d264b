package orgs

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/buckets"
)

// Author is who changes integrations.
type Author struct {
	Who string // user of the console, user and host, or replica
	Via string // cli, rotation, or how the user got into the console
}

// ErrUnrecorded: a change was made, but CHANGES does not hold it.
var ErrUnrecorded = errors.New("the change was made, but who made it is not recorded")

// Write stores the value of an instance by the revision of the former one, and records who
// did it. It returns the new revision. Its error matches pipeline.ErrChanged if somebody
// else wrote meanwhile, and ErrUnrecorded if only the record failed.
func Write(ctx context.Context, all *buckets.Integrations, by Author, before buckets.Written, v Value) (uint64, error) {
	revision, err := all.Of(before.Kind).Put(ctx, before.Instance, v.Encode(), before.Revision)
	if err != nil {
		return 0, err
	}
	action := buckets.ActionChanged
	if before.Value == nil {
		action = buckets.ActionCreated
	}
	was, _ := ReadValue(before.Value) // what can't be read is replaced as a whole
	return revision, record(ctx, all, by, before, buckets.Change{Action: action, Fields: Diff(was, v), Revision: revision})
}

// Remove deletes the value of an instance and records who did it. Errors: Write's.
func Remove(ctx context.Context, all *buckets.Integrations, by Author, before buckets.Written) error {
	if err := all.Of(before.Kind).Delete(ctx, before.Instance, before.Revision); err != nil {
		return err
	}
	was, _ := ReadValue(before.Value)
	return record(ctx, all, by, before, buckets.Change{Action: buckets.ActionRemoved, Fields: Diff(was, nil), Revision: before.Revision})
}

func record(ctx context.Context, all *buckets.Integrations, by Author, before buckets.Written, c buckets.Change) error {
	c.At, c.Who, c.Via = time.Now().UTC(), by.Who, by.Via
	// The change is made: it is recorded even if the caller has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := (&buckets.Changes{Store: all.Store.Of(before.Kind)}).Write(ctx, before.Instance, c); err != nil {
		return fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	return nil
}

// Diff returns what changed between two values, without secrets.
func Diff(before, after Value) []buckets.FieldChange {
	changes := []buckets.FieldChange{}
	was, is := members(before), members(after)
	for _, path := range paths(was, is) {
		from, to := was[path], is[path]
		if reflect.DeepEqual(from, to) {
			continue
		}
		if secretAt(path) {
			changes = append(changes, buckets.FieldChange{Field: path, To: secretChange(from, to)})
			continue
		}
		shown := func(v Value, at any) any {
			if at == nil {
				return nil
			}
			return v.WithoutSecrets().plain(path, at)
		}
		changes = append(changes, buckets.FieldChange{Field: path, From: shown(before, from), To: shown(after, to)})
	}
	return changes
}

// plain returns a member as WithoutSecrets shows it; a credential's file name or id as it
// is.
func (v Value) plain(path string, at any) any {
	if strings.HasPrefix(path, credentials) {
		return at
	}
	if shown, ok := members(v)[path]; ok {
		return shown
	}
	return nil
}

func secretChange(from, to any) string {
	switch {
	case to == nil || to == "":
		return buckets.SecretRemoved
	case from == nil || from == "":
		return buckets.SecretSet
	}
	return buckets.SecretChanged
}

// secretAt reports whether a member holds a secret: a field that does, or an unknown
// member whose name, or that of its group, suggests one.
func secretAt(path string) bool {
	for _, f := range kinds.Default.Fields {
		if f.Path == path {
			return f.Type == "secret"
		}
	}
	for name := range strings.SplitSeq(path, ".") {
		if speaksOfSecret(name) {
			return true
		}
	}
	return false
}
