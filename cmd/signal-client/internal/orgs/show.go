package orgs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// Summary is an integration as list and show print it: with defaults, without its token.
type Summary struct {
	Instance            string    `json:"instance"`
	Enabled             bool      `json:"enabled"`
	Name                string    `json:"name"`
	Origin              string    `json:"origin"`
	PollIntervalSeconds float64   `json:"poll_interval_seconds"`
	Since               string    `json:"since"`
	Filter              string    `json:"filter"`
	Limit               int       `json:"limit"`
	RateShare           float64   `json:"rate_share"`
	LinkHosts           []string  `json:"link_hosts"`
	Token               string    `json:"token"` // sealed, set, file, variable or none
	TokenFile           string    `json:"token_file,omitempty"`
	TokenEnv            string    `json:"token_env,omitempty"`
	TokenNext           string    `json:"token_next,omitempty"` // sealed or set
	ClientID            string    `json:"client_id,omitempty"`  // of a service app, instead of a token
	KeyID               string    `json:"key_id,omitempty"`
	PrivateKey          string    `json:"private_key,omitempty"` // sealed, set or file
	PrivateKeyFile      string    `json:"private_key_file,omitempty"`
	Revision            uint64    `json:"revision"`
	WrittenAt           time.Time `json:"written_at,omitzero"`
	Environment         bool      `json:"environment,omitempty"` // from a service's environment, not in INTEGRATIONS
	Error               string    `json:"error,omitempty"`       // the value is invalid: the members above, except instance, are empty

	Interval time.Duration `json:"-"` // PollIntervalSeconds
}

// summarize parses a value as the service does.
func summarize(w buckets.Written) Summary {
	i, err := w.Read()
	s := Summary{Instance: w.Instance, LinkHosts: []string{}, Revision: w.Revision, WrittenAt: w.At.UTC()}
	if err != nil {
		s.Error = err.Error()
		return s
	}
	s.fill(i)
	s.seal(w.Sealing)
	return s
}

// seal says of secrets that they are sealed. If they are not opened here, it is not known
// of which kind they are.
func (s *Summary) seal(how buckets.Sealing) {
	const sealed = "sealed"
	switch {
	case how == buckets.SealShut:
		s.Token = sealed
	case how.Sealed() && s.Token == "set":
		s.Token = sealed
		if s.TokenNext != "" {
			s.TokenNext = sealed
		}
	case how.Sealed() && s.PrivateKey == "set":
		s.PrivateKey = sealed
	}
}

func (s *Summary) fill(i pipeline.Integration) {
	s.Enabled, s.Name, s.Origin = i.Enabled, i.Name, i.Origin
	s.Interval, s.PollIntervalSeconds = i.PollInterval, i.PollInterval.Seconds()
	s.Since, s.Filter, s.Limit, s.RateShare = sinceText(i.Since), i.Filter, i.Limit, i.RateShare
	s.LinkHosts = append(s.LinkHosts, i.LinkHosts...)
	s.Token, s.TokenFile, s.TokenEnv = "none", i.TokenFile, i.TokenEnv
	switch {
	case !i.Token.IsZero():
		s.Token = "set"
	case i.TokenFile != "":
		s.Token = "file"
	case i.TokenEnv != "":
		s.Token = "variable"
	}
	if !i.TokenNext.IsZero() {
		s.TokenNext = "set"
	}
	if s.ClientID, s.KeyID, s.PrivateKeyFile = i.ClientID, i.KeyID, i.PrivateKeyFile; i.PrivateKeyFile != "" {
		s.PrivateKey = "file"
	} else if !i.PrivateKey.IsZero() {
		s.PrivateKey = "set"
	}
}

// summarizeEnvironment reads an instance from a service's environment, which has its token.
func summarizeEnvironment(w buckets.Written) Summary {
	s := summarize(w)
	if i, err := ReadEnvironment(w, ""); err == nil {
		s.fill(i)
		s.Error = ""
	}
	s.Environment, s.WrittenAt = true, time.Time{}
	if s.Token == "none" && s.ClientID == "" {
		s.Token = "set"
	}
	return s
}

func sinceText(s pipeline.Since) string {
	if !s.Moment.IsZero() {
		return s.Moment.Format(time.RFC3339)
	}
	return term.ExactSpan(s.Age)
}

// State returns a word for the list.
func (s Summary) State() pipeline.State {
	switch {
	case s.Error != "":
		return pipeline.StateConfig
	case !s.Enabled:
		return pipeline.StateDisabled
	}
	return term.StateEnabled
}

// List returns the orgs in INTEGRATIONS and in services' environments, by name.
func List(ctx context.Context, all *buckets.Integrations) ([]Summary, error) {
	written, err := all.Written(ctx)
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return nil, err
	}
	list := []Summary{} // [] rather than null
	stored := map[string]bool{}
	for _, w := range written {
		list = append(list, summarize(w))
		stored[w.Instance] = true
	}
	statuses, err := buckets.AllStatuses(ctx, all.Store)
	for _, s := range statuses {
		if w, ok := FromStatus(s); ok && !stored[s.Instance] {
			list = append(list, summarizeEnvironment(w))
		}
	}
	slices.SortFunc(list, func(a, b Summary) int { return strings.Compare(a.Instance, b.Instance) })
	return list, jets.IgnoreMissingBucket(err)
}

// LookUp returns one org, wherever it is configured.
func LookUp(ctx context.Context, all *buckets.Integrations, instance string) (Summary, error) {
	w, err := Find(ctx, all, instance)
	if errors.Is(err, ErrNotFound) {
		if there, ok := FromEnvironment(ctx, all.Store, instance); ok {
			return summarizeEnvironment(there), nil
		}
	}
	return summarize(w), err
}
