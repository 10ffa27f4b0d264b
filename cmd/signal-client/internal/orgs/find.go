package orgs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// Find reads the value of an instance that must exist.
func Find(ctx context.Context, all *buckets.Integrations, instance string) (buckets.Written, error) {
	w, err := all.Get(ctx, instance)
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return w, err
	}
	if w.Value != nil {
		return w, nil
	}
	if there, ok := FromEnvironment(ctx, all.Store, instance); ok {
		i, _ := ReadEnvironment(there, "")
		return w, inEnvironment(instance, i)
	}
	var names []string
	written, _ := all.Written(ctx) // for a suggestion, which is optional
	for _, other := range written {
		names = append(names, other.Instance)
	}
	return w, NotFound(instance, names)
}

// ErrNotFound is the error of a name that INTEGRATIONS does not hold.
var ErrNotFound = errors.New(jets.BucketIntegrations + " holds none of that name")

// NotFound returns the error of an unknown name. It matches ErrNotFound.
func NotFound(instance string, standing []string) *problem.Error {
	p := &problem.Error{
		Op:   fmt.Sprintf("no integration %q", instance),
		Err:  ErrNotFound,
		Hint: "signal-client integrations list",
		Code: problem.Failed,
	}
	if near := problem.Nearest(instance, standing); near != "" {
		p.Err = fmt.Errorf("%w; did you mean %s?", p.Err, near)
	}
	return p
}

// BesidesEnvironment adds to the hint of a command that accepts the environment's org, too.
func BesidesEnvironment(p *problem.Error) *problem.Error {
	p.Hint += "; for an org that the service has from its environment, set the same OKTA_ variables here"
	return p
}

// Parse parses a value as the service does.
func Parse(w buckets.Written) (pipeline.Integration, error) {
	i, err := w.Read()
	if err != nil {
		err = &problem.Error{
			Op: "read the integration " + w.Instance, Err: err, Code: problem.BadUsage,
			Hint: Correction(w.Instance, err),
		}
	}
	return i, err
}

// Correction returns the command that fixes an invalid value. If the name or the whole
// value is invalid, setting a field does not help.
func Correction(instance string, err error) string {
	wrongs, _ := errors.AsType[*pipeline.ConfigError](err)
	if wrongs != nil && slices.ContainsFunc(wrongs.Complaints, func(c schemas.Complaint) bool { return c.Field == "" || c.Field == "instance" }) {
		return "signal-client integrations remove " + instance + ", then add it"
	}
	return "signal-client integrations set " + instance + " <field>=<value>"
}

// Credential returns an integration's credential, which must be readable here.
func Credential(ctx context.Context, i pipeline.Integration) (pipeline.Credential, error) {
	token, err := i.Kind.Credential(ctx, i)
	if err == nil && token.IsZero() {
		err = errors.New("none is configured")
	}
	if err != nil {
		if i.Sealed != "" {
			return token, &problem.Error{Op: "open the sealed credential of " + i.Instance, Err: err, Code: problem.BadUsage,
				Hint: "run this with the key that the service has: SIGNAL_CLIENT_SECRET_KEY_FILE=<its file>; or set the credential again: signal-client integrations set " + i.Instance + " --token-from <file>"}
		}
		what, flag := "token", "--token-from"
		if i.ClientID != "" {
			what, flag = "private key", "--private-key-file"
		}
		err = &problem.Error{
			Op: "read the " + what + " of " + i.Instance, Err: err, Code: problem.BadUsage,
			Hint: "run this where the service runs, or: signal-client integrations set " + i.Instance + " " + flag + " <file>",
		}
	}
	return token, err
}
