package orgs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// Candidate is an org to write.
type Candidate struct {
	Instance string
	Place    string // in the file: line 3
	fault    error  // why it can't be parsed; nil: it was parsed
	Value    Value
	Before   buckets.Written
}

// label returns a field and its place in the file.
func (c Candidate) label(field string) string {
	if field == "instance" {
		return fmt.Sprintf("%s: instance", c.Place)
	}
	label := fmt.Sprintf("%s, %s: %s", c.Place, c.Instance, field)
	if at := c.Value.WithoutSecrets().At(field); at != nil && field != "settings" && field != "credentials" {
		label += fmt.Sprintf(" %v", at)
	}
	return label
}

// Prepare reads the existing orgs and checks every new one, and reports all problems at once.
func Prepare(ctx context.Context, all *buckets.Integrations, candidates []Candidate, replace bool) error {
	each, err := PrepareEach(ctx, all, candidates, replace, Candidate.label)
	if err != nil {
		return err
	}
	errs := slices.Concat(each...)
	if len(errs) == 0 {
		return nil
	}
	return errors.Join(append(errs, problem.Usage("nothing was written", term.Count(len(errs), "problem")+" above", "correct the file and import it again"))...)
}

// PrepareEach is Prepare with the problems of each candidate by itself. label turns a field
// into what the user calls it.
func PrepareEach(ctx context.Context, all *buckets.Integrations, candidates []Candidate, replace bool, label func(c Candidate, field string) string) ([][]error, error) {
	standing := map[string]buckets.Written{}
	written, err := all.Written(ctx)
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return nil, err
	}
	for _, w := range written {
		standing[w.Instance] = w
	}
	each := make([][]error, len(candidates))
	places := map[string]string{}
	for n := range candidates {
		c := &candidates[n]
		c.Before = standing[c.Instance]
		before, twice := places[c.Instance]
		if places[c.Instance] = c.Place; twice && c.Instance != "" {
			each[n] = append(each[n], problem.Usage(fmt.Sprintf("%s: %s is in the file twice", c.Place, c.Instance), "it is at "+before+" too", "take one of them out"))
		}
		each[n] = append(each[n], c.prepare(replace, label)...)
	}
	return each, nil
}

// prepare checks a candidate by itself, and completes it.
func (c *Candidate) prepare(replace bool, label func(c Candidate, field string) string) []error {
	switch {
	case c.fault != nil:
		return []error{c.fault}
	case c.Before.Value != nil && (!replace || c.Before.Kind != c.Value.kind()):
		return []error{problem.Usage(fmt.Sprintf("%s: %s exists already", c.Place, c.Instance), "an import does not overwrite existing orgs by default", "--replace")}
	}
	c.keepSecrets()
	i, wrongs := c.Value.Check(c.Instance, func(field string) string { return label(*c, field) })
	if wrongs != nil {
		return wrongs
	}
	c.Value.Tidy(i)
	if before, err := ReadValue(c.Before.Value); err == nil && c.Before.Shut != "" {
		if err := c.Value.strands(before, c.Instance, label(*c, sealedPath), c.Before.Shut); err != nil {
			return []error{err}
		}
	}
	return nil
}

// keepSecrets takes over what an export leaves out: the stored credential, if the file
// has none, and other writers' secrets.
func (c *Candidate) keepSecrets() {
	before, err := ReadValue(c.Before.Value)
	if err != nil {
		return // there is none
	}
	if slices.ContainsFunc([]string{tokenPath, TokenFilePath, tokenEnvPath, keyPath, keyFilePath, sealedPath}, func(path string) bool { return c.Value.At(path) != nil }) {
		delete(before, "credentials")
	}
	keepSecrets(map[string]any(c.Value), map[string]any(before))
}

// Put writes an org; for a deleted key it expects its marker's revision. Errors: Write's.
func (c Candidate) Put(ctx context.Context, all *buckets.Integrations, by Author) error {
	before := c.Before
	if before.Value == nil {
		var err error
		if before, err = all.Get(ctx, c.Instance); err != nil {
			return err
		}
		if before.Value != nil {
			return pipeline.ErrChanged
		}
	}
	_, err := Write(ctx, all, by, before, c.Value)
	return err
}
