package orgs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// FromEnvironment is an instance that a service has from its environment, as if it were
// stored. ok is false where STATUS tells of none, or can't be read.
func FromEnvironment(ctx context.Context, store *jets.Store, instance string) (w buckets.Written, ok bool) {
	all, _ := buckets.AllStatuses(ctx, store)
	for _, s := range all {
		if s.Instance == instance {
			w, ok = FromStatus(s)
		}
	}
	return w, ok
}

func FromStatus(s pipeline.Status) (w buckets.Written, ok bool) {
	value := bytes.TrimSpace(s.Environment)
	return buckets.Written{Instance: s.Instance, Value: value, At: s.UpdatedAt}, len(value) > 0 && value[0] == '{'
}

// fromEnvironment reads such a value. Its token is the service's; a file of it may be
// readable here too, or elsewhere.
func ReadEnvironment(w buckets.Written, tokenFile string) (pipeline.Integration, error) {
	var v Value
	if err := json.Unmarshal(w.Value, &v); err != nil {
		return pipeline.Integration{}, fmt.Errorf("read %s of STATUS: %w", w.Instance, err)
	}
	v["enabled"] = false // else a token would be asked for
	i, err := kinds.Default.Read(w.Instance, v.Encode())
	i.Enabled, i.Static, i.TokenFile = true, true, cmp.Or(tokenFile, i.TokenFile)
	return i, err
}

// Withheld is the problem of a token that this command has not.
func Withheld(i pipeline.Integration, err error) error {
	return &problem.Error{
		Op: "read the token of " + i.Instance, Err: fmt.Errorf("the service has it from its environment, this command has not: %w", err), Code: problem.BadUsage,
		Hint: "OKTA_API_TOKEN_FILE=<a file of the token that this user may read>, here, for this command",
	}
}

// inEnvironment is the problem of an instance that INTEGRATIONS commands can't change.
func inEnvironment(instance string, i pipeline.Integration) error {
	return &problem.Error{
		Op:   fmt.Sprintf("no integration %q", instance),
		Err:  fmt.Errorf("%w: the service has it from its environment", ErrNotFound),
		Hint: fmt.Sprintf("change the service's OKTA_ variables and start it again; or take it into INTEGRATIONS, which wins: signal-client integrations add okta %s --base-url %s", instance, i.Origin),
		Code: problem.Failed,
	}
}
