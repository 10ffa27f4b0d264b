package view

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// Errors of edits, besides Invalid, Conflict and orgs.ErrNotFound.
var (
	// ErrExists: there is an integration of that name.
	ErrExists = errors.New("an integration of that name exists")
	// ErrStatic: a service has the instance from its environment.
	ErrStatic = errors.New("a service has it from its environment, where it is changed, too")
)

// FieldError is what is wrong with a field.
type FieldError struct {
	Field  string `json:"field"` // such as settings.fqdn or instance
	Cause  string `json:"cause"`
	Remedy string `json:"remedy,omitempty"`
}

// Invalid is the error of a value that is not written: all that is wrong with it.
type Invalid struct{ Fields []FieldError }

func (e *Invalid) Error() string {
	return fmt.Sprintf("%s: %s", e.Fields[0].Field, e.Fields[0].Cause)
}

// Conflict is the error of an edit of an older revision than the newest.
type Conflict struct {
	Instance string
	Revision uint64           // the newest
	Changes  []buckets.Change // those made since the edited revision, oldest first
	Now      Document         // as it is now
}

func (e *Conflict) Error() string { return e.Instance + " was changed meanwhile" }

// Is reports whether target is pipeline.ErrChanged.
func (e *Conflict) Is(target error) bool { return target == pipeline.ErrChanged }

// conflict returns what changed since the edited revision: what is recorded or, if
// somebody wrote without a record, how the two values differ.
func (v *View) conflict(ctx context.Context, instance string, edited uint64, now buckets.Written) error {
	c := &Conflict{Instance: instance, Revision: now.Revision, Now: documentOf(now)}
	all, err := v.Log(ctx, instance)
	if err != nil {
		v.log.Warn("console: changes of an integration can't be read", "instance", instance, "err", err)
	}
	for _, change := range slices.Backward(all) {
		if change.Revision > edited {
			c.Changes = append(c.Changes, change)
		}
	}
	if n := len(c.Changes); n == 0 || c.Changes[n-1].Revision != now.Revision {
		c.Changes = append(c.Changes, v.unrecorded(ctx, instance, edited, now))
	}
	return c
}

// unrecorded returns how the edited revision, if it is still kept, and the newest differ.
func (v *View) unrecorded(ctx context.Context, instance string, edited uint64, now buckets.Written) buckets.Change {
	change := buckets.Change{Version: 1, At: now.At, Action: buckets.ActionChanged, Fields: []buckets.FieldChange{}, Revision: now.Revision}
	is, err := orgs.ReadValue(now.Value)
	if err != nil {
		return change
	}
	kept, _ := v.orgs.Of(now.Kind).History(ctx, instance) // without it, what changed is not said
	for _, w := range kept {
		if was, err := orgs.ReadValue(w.Value); err == nil && w.Revision == edited {
			change.Fields = orgs.Diff(was, is)
		}
	}
	return change
}
