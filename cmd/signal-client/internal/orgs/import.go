package orgs

import (
	"context"
	"errors"
	"fmt"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// Candidate is an org to write.
type Candidate struct {
	Instance string
	Place    string // in the file: line 3
	fault    error  // why it can't be parsed; nil: it was parsed
	Value    Value
	Before   buckets.Written
}

// Fault returns why the candidate can't be parsed; nil: it was parsed.
func (c Candidate) Fault() error { return c.fault }

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

// Prepare reads the existing orgs and checks every new one as the service will. It
// reports all problems at once.
func Prepare(ctx context.Context, all *buckets.Integrations, candidates []Candidate, replace bool) error {
	standing := map[string]buckets.Written{}
	written, err := all.Written(ctx)
	if err != nil {
		return err
	}
	for _, w := range written {
		standing[w.Instance] = w
	}
	var errs []error
	places := map[string]string{}
	for n := range candidates {
		c := &candidates[n]
		if c.fault != nil {
			errs = append(errs, c.fault)
			continue
		}
		if before, twice := places[c.Instance]; twice && c.Instance != "" {
			errs = append(errs, problem.Usage(fmt.Sprintf("%s: %s is in the file twice", c.Place, c.Instance), "it is at "+before+" too", "take one of them out"))
		}
		places[c.Instance] = c.Place
		c.Before = standing[c.Instance]
		if c.Before.Value != nil && !replace {
			errs = append(errs, problem.Usage(fmt.Sprintf("%s: %s exists already", c.Place, c.Instance), "an import does not overwrite existing orgs by default", "--replace"))
			continue
		}
		c.keepSecrets()
		i, wrongs := c.Value.Check(c.Instance, c.label)
		if wrongs == nil {
			c.Value.Tidy(i)
		}
		errs = append(errs, wrongs...)
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.Join(append(errs, problem.Usage("nothing was written", term.Count(len(errs), "problem")+" above", "correct the file and import it again"))...)
}

// keepSecrets takes over what an export leaves out: the stored credential, if the file
// has none, and other writers' secrets.
func (c *Candidate) keepSecrets() {
	before, err := ReadValue(c.Before.Value)
	if err != nil {
		return // there is none
	}
	if c.Value.At(tokenPath) != nil || c.Value.At(TokenFilePath) != nil {
		delete(before, "credentials")
	}
	keepSecrets(map[string]any(c.Value), map[string]any(before))
}

// Put writes an org. For a deleted key it expects the revision of its marker. Its errors
// are those of Write.
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
