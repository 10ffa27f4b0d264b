package view

import (
	"context"
	"errors"
	"fmt"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/sink/buckets"
)

// Edit is a change of an integration.
type Edit struct {
	Value orgs.Value // members as in INTEGRATIONS; a secret that is left out, empty or {"set": true} stays
	// Whole replaces the value: other members that are left out get their defaults, except
	// those of other writers. Otherwise they stay, and null removes a member.
	Whole    bool
	Revision uint64 // the edited revision; 0: the newest
}

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
	Now      Document         // as it is now; zero: it was deleted
}

func (e *Conflict) Error() string { return e.Instance + " was changed meanwhile" }

// Errors of edits, besides Invalid, Conflict and orgs.ErrNotFound.
var (
	// ErrExists: there is an integration of that name.
	ErrExists = errors.New("an integration of that name exists")
	// ErrStatic: a service has the instance from its environment.
	ErrStatic = errors.New("the service has it from its environment")
)

var errUnfinished = errors.New("not implemented yet")

// Documents returns all integrations, by name.
func (v *View) Documents(ctx context.Context) ([]Document, error) { return nil, errUnfinished }

// Document returns an integration. Its error matches orgs.ErrNotFound if there is none.
func (v *View) Document(ctx context.Context, instance string) (Document, error) {
	return Document{}, errUnfinished
}

// Create adds an integration. An empty instance is derived from the host name. It is
// polled within about a second.
func (v *View) Create(ctx context.Context, by access.User, instance string, value orgs.Value) (Document, error) {
	return Document{}, errUnfinished
}

// Update changes an integration. It takes effect within about a second.
func (v *View) Update(ctx context.Context, by access.User, instance string, e Edit) (Document, error) {
	return Document{}, errUnfinished
}

// Delete removes an integration; revision 0: whatever it is. Its events and its position
// stay.
func (v *View) Delete(ctx context.Context, by access.User, instance string, revision uint64) error {
	return errUnfinished
}

// Log returns who changed what of an integration, newest first.
func (v *View) Log(ctx context.Context, instance string) ([]buckets.Change, error) {
	return nil, errUnfinished
}
