package orgs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// LooksSecret reports whether a field holds a token.
func LooksSecret(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	return name == "token" || name == "api_token" || name == tokenPath
}

// UnknownField returns the problem of a field that does not exist; op says where it stands.
func UnknownField(name, op string) error {
	try := "use one of " + strings.Join(FieldNames(), ", ")
	if near := problem.Nearest(name, FieldNames()); near != "" {
		try = near
	}
	return problem.Usage(op, "an integration has no such field to set", try)
}

// Change edits an instance's value once, checks it and writes it, if the edit changes
// anything: changed reports that. Its errors are those of Write, too.
func Change(ctx context.Context, all *buckets.Integrations, by Author, instance string, edit func(Value) error) (i pipeline.Integration, changed bool, err error) {
	before, err := Find(ctx, all, instance)
	if err != nil {
		return i, false, err
	}
	was, err := ReadValue(before.Value)
	if err != nil {
		return i, false, &problem.Error{
			Op: "read the integration " + instance, Err: fmt.Errorf("its value is not a JSON object: %w", err), Code: problem.Failed,
			Hint: "signal-client integrations remove " + instance + ", then add it",
		}
	}
	v := was.Clone()
	if err := edit(v); err != nil {
		return i, false, err
	}
	i, errs := v.Check(instance, v.Labelled)
	if errs != nil {
		return i, false, errors.Join(errs...)
	}
	v.Tidy(i)
	if v.Equal(was) {
		return i, false, nil
	}
	_, err = Write(ctx, all, by, before, v)
	return i, err == nil || errors.Is(err, ErrUnrecorded), err
}
