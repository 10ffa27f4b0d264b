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

// strands returns the problem of an edit that moves a sealed credential, which is not opened
// here, to another host: it stays with the one that it was sealed for. what names it, and
// shut says why it is not opened.
func (v Value) strands(before Value, instance, what, shut string) error {
	kept := v.At(sealedPath)
	was, is := before.Origin(instance), v.Origin(instance)
	if kept == nil || kept != before.At(sealedPath) || was == is {
		return nil
	}
	return problem.Usage(what, fmt.Sprintf("it is sealed for %s, so that it is not sent to %s, and it can't be opened here: %s", was, is, shut),
		"give the credential again together with the host (--token-from), or run this where the key is")
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
	if before.Shut != "" {
		if err := v.strands(was, instance, "the stored credential of "+instance, before.Shut); err != nil {
			return i, false, err
		}
	}
	if v.Equal(was) {
		return i, false, nil
	}
	_, err = Write(ctx, all, by, before, v)
	return i, err == nil || errors.Is(err, ErrUnrecorded), err
}
