package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// Edit is a change of an integration.
type Edit struct {
	Value orgs.Value // members as in INTEGRATIONS; a secret that is left out, empty or {"set": true} stays
	// Whole replaces the value: other members that are left out get their defaults, except
	// those of other writers. Otherwise they stay, and null removes a member.
	Whole    bool
	Revision uint64 // the edited revision; 0: the newest
}

// Create adds an integration. An empty instance is derived from the host name. It is
// polled within about a second. Its errors are *Invalid, ErrExists, and those of NATS.
func (v *View) Create(ctx context.Context, by access.User, instance string, value orgs.Value) (Document, error) {
	created := orgs.NewInstance(value)
	created.Clean()
	if instance == "" {
		taken, err := v.taken(ctx)
		if err != nil {
			return Document{}, err
		}
		instance = created.Slug(func(name string) bool { return taken[name] })
	}
	i, err := created.Read(instance)
	if err != nil {
		return Document{}, invalid(instance, err)
	}
	created.Tidy(i)
	before, err := v.orgs.Get(ctx, instance)
	if err != nil {
		return Document{}, err
	}
	if before.Value != nil {
		return Document{}, fmt.Errorf("add %s: %w", instance, ErrExists)
	}
	if _, static := v.static(ctx, instance); static {
		return Document{}, fmt.Errorf("add %s: %w", instance, ErrStatic)
	}
	revision, err := orgs.Write(ctx, v.orgs, author(by), before, created)
	if errors.Is(err, pipeline.ErrChanged) {
		return Document{}, fmt.Errorf("add %s: %w", instance, ErrExists)
	}
	return v.made(by, instance, "created", revision, created, err)
}

// Update changes an integration. It takes effect within about a second. Its errors are
// *Invalid, *Conflict, orgs.ErrNotFound, ErrStatic, and those of NATS.
func (v *View) Update(ctx context.Context, by access.User, instance string, e Edit) (Document, error) {
	d, err := v.update(ctx, by, instance, e)
	for try := 1; e.Revision == 0 && errors.Is(err, pipeline.ErrChanged) && try < mostTries; try++ {
		d, err = v.update(ctx, by, instance, e) // of the newest
	}
	return d, err
}

// mostTries is how often an edit of whatever is the newest revision is tried.
const mostTries = 5

func (v *View) update(ctx context.Context, by access.User, instance string, e Edit) (Document, error) {
	before, err := v.stored(ctx, instance)
	if err != nil {
		return Document{}, err
	}
	if e.Revision != 0 && e.Revision != before.Revision {
		return Document{}, v.conflict(ctx, instance, e.Revision, before)
	}
	was, err := orgs.ReadValue(before.Value)
	if err != nil {
		was = orgs.Value{} // a value that is no object can only be replaced
	}
	changed := was.Merged(e.Value, e.Whole)
	changed.Clean()
	i, err := changed.Read(instance)
	if err != nil {
		return Document{}, invalid(instance, err)
	}
	changed.Tidy(i)
	if err := keepsHost(was, changed, e.Value, instance); err != nil {
		return Document{}, err
	}
	if changed.Equal(was) {
		v.wake(instance, i)
		return documentOf(before), nil
	}
	revision, err := orgs.Write(ctx, v.orgs, author(by), before, changed)
	if errors.Is(err, pipeline.ErrChanged) {
		now, err := v.stored(ctx, instance)
		if err != nil {
			return Document{}, err
		}
		return Document{}, v.conflict(ctx, instance, before.Revision, now)
	}
	return v.made(by, instance, "changed", revision, changed, err)
}

// keepsHost refuses to send a stored secret to another host, or the password of a proxy to
// another proxy, than the one that it was entered for.
func keepsHost(was, is, edit orgs.Value, instance string) error {
	kept := is.KeptSecrets(was, edit)
	before, after := was.Origin(instance), is.Origin(instance)
	if from, to := was.At("settings.proxy"), is.At("settings.proxy"); from != to && slices.Contains(kept, "credentials.proxy_password") {
		return &Invalid{Fields: []FieldError{{
			Field: "credentials.proxy_password", Cause: "it was entered for another proxy", Remedy: "enter it again together with the proxy",
		}}}
	}
	if len(kept) == 0 || before == after {
		return nil
	}
	return &Invalid{Fields: []FieldError{{
		Field: kept[0], Cause: "it was entered for " + cmp.Or(before, "no host that can be read") + ", and is not sent to " + after,
		Remedy: "enter it again together with the new host name",
	}}}
}

// Delete removes an integration; revision 0: whatever it is. Its events and its position
// stay. Its errors are *Conflict, orgs.ErrNotFound, ErrStatic, and those of NATS.
func (v *View) Delete(ctx context.Context, by access.User, instance string, revision uint64) error {
	before, err := v.stored(ctx, instance)
	if err != nil {
		return err
	}
	if revision != 0 && revision != before.Revision {
		return v.conflict(ctx, instance, revision, before)
	}
	err = orgs.Remove(ctx, v.orgs, author(by), before)
	if errors.Is(err, pipeline.ErrChanged) {
		now, err := v.stored(ctx, instance)
		if err != nil {
			return err
		}
		return v.conflict(ctx, instance, before.Revision, now)
	}
	_, err = v.made(by, instance, "removed", before.Revision, nil, err)
	return err
}

// Log returns who changed what of an integration, newest first.
func (v *View) Log(ctx context.Context, instance string) ([]buckets.Change, error) {
	return (&buckets.Changes{Store: v.config.Store}).Of(ctx, instance)
}

// made logs a change and returns the new document.
func (v *View) made(by access.User, instance, act string, revision uint64, now orgs.Value, err error) (Document, error) {
	if errors.Is(err, orgs.ErrUnrecorded) {
		v.log.Warn("console: who made a change is not recorded", "instance", instance, "err", err)
		err = nil
	}
	if err != nil {
		return Document{}, err
	}
	v.log.Info("console: integration "+act, "instance", instance, "by", by.Name, "via", by.Via, "revision", revision)
	if now == nil {
		return Document{}, nil
	}
	w := buckets.Written{Instance: instance, Value: now.Encode(), Revision: revision, At: time.Now().UTC()}
	if v.config.Store.Secrets.Keys != nil {
		w.Sealing = buckets.SealFirst
	}
	return documentOf(w), nil
}

// wake has a value polled at once that was saved unchanged. A changed one is polled
// anyway.
func (v *View) wake(instance string, i pipeline.Integration) {
	if i.Enabled {
		_ = v.config.Store.Conn.NATS.PublishMsg(nats.NewMsg(jets.SubjectWake(instance))) // a hint
	}
}

// stored reads the value of an integration that must be in INTEGRATIONS.
func (v *View) stored(ctx context.Context, instance string) (buckets.Written, error) {
	w, err := v.orgs.Get(ctx, instance)
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return w, err
	}
	if w.Value != nil {
		return w, nil
	}
	if _, static := v.static(ctx, instance); static {
		return w, fmt.Errorf("%s: %w", instance, ErrStatic)
	}
	return w, fmt.Errorf("%s: %w", instance, orgs.ErrNotFound)
}

// static returns the instance that a service has from its environment.
func (v *View) static(ctx context.Context, instance string) (buckets.Written, bool) {
	return orgs.FromEnvironment(ctx, v.config.Store, instance)
}

// taken returns the names in use: in INTEGRATIONS and in services' environments.
func (v *View) taken(ctx context.Context) (map[string]bool, error) {
	taken := map[string]bool{}
	err := v.config.Store.Conn.Each(ctx, jets.BucketIntegrations, ">", false, func(e jets.KVEntry) {
		if kind, instance := v.config.Store.InstanceOf(e.Key); kind != nil && !e.Gone {
			taken[instance] = true
		}
	})
	for _, i := range v.Fleet().Integrations {
		taken[i.Instance] = true
	}
	return taken, jets.IgnoreMissingBucket(err)
}

func author(by access.User) orgs.Author { return orgs.Author{Who: by.Name, Via: by.Via} }

// invalid returns what is wrong with a value, field by field.
func invalid(instance string, err error) error {
	wrongs, ok := errors.AsType[*pipeline.ConfigError](err)
	if !ok {
		return err
	}
	var e Invalid
	for _, c := range wrongs.Complaints {
		cause, remedy, _ := strings.Cut(strings.TrimSuffix(c.Problem, ")"), " (")
		if c.Field == "instance" && instance == "" { // it follows from the host name, which is wrong, too
			continue
		}
		e.Fields = append(e.Fields, FieldError{Field: c.Field, Cause: "it " + cause, Remedy: remedy})
	}
	if len(e.Fields) == 0 {
		return err
	}
	slices.SortStableFunc(e.Fields, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return &e
}
