package orgs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// FromEnvironment returns an instance from a service's environment, as if it were stored.
// ok is false if STATUS names none or can't be read.
func FromEnvironment(ctx context.Context, store *jets.Store, instance string) (w buckets.Written, ok bool) {
	all, _ := buckets.AllStatuses(ctx, store)
	for _, s := range all {
		if s.Instance == instance {
			w, ok = FromStatus(s)
		}
	}
	return w, ok
}

// FromStatus returns the value that a service shows in STATUS for an instance of its
// environment; ok is false for any other instance.
func FromStatus(s pipeline.Status) (w buckets.Written, ok bool) {
	value := bytes.TrimSpace(s.Environment)
	return buckets.Written{Kind: s.Kind, Instance: s.Instance, Value: value, At: s.UpdatedAt}, len(value) > 0 && value[0] == '{'
}

// ReadEnvironment parses such a value. Its token is the service's; its file may be
// readable here, or only elsewhere.
func ReadEnvironment(w buckets.Written, tokenFile string) (pipeline.Integration, error) {
	var v Value
	if err := json.Unmarshal(w.Value, &v); err != nil {
		return pipeline.Integration{}, fmt.Errorf("read %s of STATUS: %w", w.Instance, err)
	}
	v["enabled"] = false // otherwise a token would be required
	i, err := w.Kind.Read(w.Instance, v.Encode())
	i.Enabled, i.Static, i.TokenFile = true, true, cmp.Or(tokenFile, i.TokenFile)
	return i, err
}

// Withheld returns the problem of a token that only the service has.
func Withheld(i pipeline.Integration, err error) error {
	return &problem.Error{
		Op: "read the token of " + i.Instance, Err: fmt.Errorf("the service has it from its environment, this command does not: %w", err), Code: problem.BadUsage,
		Hint: "OKTA_API_TOKEN_FILE=<a file with the token that this user can read>, here, for this command",
	}
}

// inEnvironment returns the problem of an instance that can't be changed in INTEGRATIONS.
func inEnvironment(instance string, i pipeline.Integration) error {
	return &problem.Error{
		Op:   fmt.Sprintf("no integration %q", instance),
		Err:  fmt.Errorf("%w: the service has it from its environment", ErrNotFound),
		Hint: fmt.Sprintf("change the service's OKTA_ variables and restart it; or move it to INTEGRATIONS, which wins: signal-client integrations add okta %s --base-url %s", instance, i.Origin),
		Code: problem.Failed,
	}
}
