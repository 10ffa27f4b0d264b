package jets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
)

// stream is the required configuration of a stream or bucket.
type stream struct {
	config jetstream.StreamConfig // for creation
	// firstSeq returns the first sequence of a new stream; nil: 1.
	firstSeq func(context.Context) (uint64, error)
	// value is how many bytes a value of a bucket has, with what is stored beside it: a
	// bucket with max_bytes keeps only as many revisions as fit, see instancesKept. 0: it
	// keeps all that config says.
	value int64
	// refuse refuses an existing stream that can't work.
	refuse func(jetstream.StreamConfig) error
	// warn returns warnings about an existing stream; nil: none.
	warn func(jetstream.StreamConfig) []string
}

// doubts returns all warnings, including one about more copies than configured.
func (s stream) doubts(have jetstream.StreamConfig) []string {
	var doubts []string
	if s.warn != nil {
		doubts = s.warn(have)
	}
	if asked := s.config.Replicas; asked > 1 && have.Replicas > asked {
		doubts = append(doubts, fmt.Sprintf("it has %d copies and not %d as configured: existing streams are left unchanged (nats stream edit --replicas)", have.Replicas, asked))
	}
	return doubts
}

// Info is JetStream's answer about a stream.
type Info struct {
	Config  json.RawMessage       `json:"config"`
	Created time.Time             `json:"created"`
	Domain  string                `json:"domain"`
	State   jetstream.StreamState `json:"state"`
}

// ErrUnusable: an existing stream can't serve its purpose.
var ErrUnusable = errors.New("can't be used")

// Configuration decodes the stream's configuration.
func (i *Info) Configuration() (c jetstream.StreamConfig, err error) {
	if err := json.Unmarshal(i.Config, &c); err != nil {
		return c, fmt.Errorf("read the configuration of a stream: %w", err)
	}
	return c, nil
}

// Info asks the stream's leader.
func (c *Conn) Info(ctx context.Context, name string) (*Info, error) {
	var i Info
	if err := c.Ask(ctx, "STREAM.INFO."+name, nil, &i); err != nil {
		return nil, fmt.Errorf("look up %s: %w", name, err)
	}
	c.domain.Store(&i.Domain)
	return &i, nil
}

// Outcome is what was done about one stream or bucket.
type Outcome string

// What was done.
const (
	OutcomeUnchanged Outcome = "unchanged" // it was there, and has all that is needed
	OutcomeCreated   Outcome = "created"
	OutcomeChanged   Outcome = "changed"  // what it lacked was added
	OutcomeLeftOut   Outcome = "left out" // ErrLeftOut
)

// ErrMayNotCreate: a stream is missing, and this user may not create it.
var ErrMayNotCreate = errors.New("this user may not create it")

// ErrMayNotChange: a stream lacks what is needed, and this user may not change it.
var ErrMayNotChange = errors.New("this user may not change it")

// ensured is a stream that exists.
type ensured struct {
	config jetstream.StreamConfig
	done   Outcome
	detail string // what was added; empty: nothing
}

// ensure creates the stream, or adds what it lacks. size returns the max_bytes of a new
// stream; 0: as configured. Several processes may do so at once: a process that was not
// the first looks again.
func (c *Conn) ensure(ctx context.Context, want stream, size func(name string) (int64, error), log *slog.Logger) (ensured, error) {
	name, e := want.config.Name, ensured{done: OutcomeUnchanged}
	backoff := pipeline.Backoff{Min: 20 * time.Millisecond, Max: time.Second}
	for range 10 {
		have, err := c.Info(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			err = c.create(ctx, want, size)
			if err == nil {
				e.done = OutcomeCreated
				log.Info("stream created", "stream", name, "subjects", strings.Join(want.config.Subjects, " "))
			}
		} else if err == nil {
			var added string
			if e.config, added, err = c.amend(ctx, want, have.Config, log); err == nil && added == "" {
				return e, nil
			}
			if err == nil {
				e.done, e.detail = OutcomeChanged, added
			}
		}
		if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return ensured{}, err
		}
		if err != nil {
			if err := pipeline.Sleep(ctx, backoff.Next()); err != nil {
				return ensured{}, err
			}
		}
	}
	return ensured{}, fmt.Errorf("another process keeps changing stream %s", name)
}

func (c *Conn) create(ctx context.Context, want stream, size func(name string) (int64, error)) error {
	bytes, err := size(want.config.Name)
	if err != nil {
		return err
	}
	config := want.sized(bytes)
	if want.firstSeq != nil {
		if config.FirstSeq, err = want.firstSeq(ctx); err != nil {
			return err
		}
	}
	err = c.Ask(ctx, "STREAM.CREATE."+config.Name, config, new(Info))
	if errors.Is(err, nats.ErrPermissionViolation) {
		err = fmt.Errorf("%w: %w", ErrMayNotCreate, err)
	}
	if err != nil {
		return fmt.Errorf("make stream %s: %w", config.Name, advise(err))
	}
	return nil
}

// sized returns the configuration of a new stream with another max_bytes; 0: its own.
func (s stream) sized(bytes int64) jetstream.StreamConfig {
	config := s.config
	if bytes > 0 {
		config.MaxBytes = bytes
	}
	config.MaxMsgsPerSubject = s.revisions(config.MaxBytes)
	return config
}

// revisions returns how many revisions of a key a bucket of that size keeps: at least 2,
// unless it is to keep 1.
func (s stream) revisions(maxBytes int64) int64 {
	most := s.config.MaxMsgsPerSubject
	if s.value == 0 || maxBytes <= 0 {
		return most
	}
	return min(most, max(2, maxBytes/(s.value*instancesKept)))
}

// amend adds to an existing stream what it lacks, and returns that; empty: nothing. The
// rest of the configuration is sent back as received, so that unknown members stay
// unchanged. A stream that this user may not change is used as it is, unless it lacks
// what nothing works without: ErrMayNotChange.
func (c *Conn) amend(ctx context.Context, want stream, raw json.RawMessage, log *slog.Logger) (have jetstream.StreamConfig, added string, err error) {
	name := want.config.Name
	members := map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(raw, &have), json.Unmarshal(raw, &members)); err != nil {
		return have, "", fmt.Errorf("read the configuration of %s: %w", name, err)
	}
	if err := want.refuse(have); err != nil {
		return have, "", fmt.Errorf("stream %s %w: %w", name, ErrUnusable, err)
	}
	lacks := lacking(have, want)
	if len(lacks) > 0 {
		all := make(map[string]any, len(members)+len(lacks))
		for member, value := range members {
			all[member] = value
		}
		maps.Copy(all, lacks)
		err := c.Ask(ctx, "STREAM.UPDATE."+name, all, new(Info))
		if err == nil {
			log.Info("stream changed", "stream", name, "added", names(lacks))
			return have, names(lacks), nil
		}
		denied := errors.Is(err, nats.ErrPermissionViolation)
		if denied && slices.ContainsFunc(indispensable, func(member string) bool { return lacks[member] != nil }) {
			return have, "", fmt.Errorf("stream %s lacks %s: %w: nats stream edit %s%s: %w", name, names(lacks), ErrMayNotChange, name, editFlags(lacks), err)
		}
		if !denied {
			return have, "", fmt.Errorf("add %s to stream %s: %w", names(lacks), name, advise(err))
		}
		log.Warn("stream is used as it is: this user may not change it", "stream", name, "lacks", names(lacks), "try", "nats stream edit "+name+editFlags(lacks))
	}
	for _, doubt := range want.doubts(have) {
		log.Warn("stream is not configured as it should be", "stream", name, "why", doubt)
	}
	return have, "", nil
}

// indispensable are members of a stream's configuration that nothing works without.
var indispensable = []string{"allow_atomic", "allow_msg_ttl", "subject_delete_marker_ttl", "subjects"}

// editFlags returns the flags of nats stream edit that add what a stream lacks.
func editFlags(lacks map[string]any) string {
	flags := map[string]string{
		"allow_atomic": "--allow-batch", "allow_direct": "--allow-direct", "allow_rollup_hdrs": "--allow-rollup", "allow_msg_ttl": "--allow-msg-ttl",
		"subject_delete_marker_ttl": "--subject-del-markers-ttl=", "num_replicas": "--replicas=", "max_msgs_per_subject": "--max-msgs-per-subject=", "subjects": "--subjects=",
	}
	var b strings.Builder
	for _, member := range slices.Sorted(maps.Keys(lacks)) {
		flag, value := flags[member], fmt.Sprint(lacks[member])
		if subjects, ok := lacks[member].([]string); ok {
			value = "'" + strings.Join(subjects, ",") + "'"
		}
		if !strings.HasSuffix(flag, "=") {
			value = ""
		}
		b.WriteString(" " + flag + value)
	}
	return b.String()
}

// lacking returns what to change so that have can do what want can; it removes nothing.
func lacking(have jetstream.StreamConfig, asked stream) map[string]any {
	want := asked.config
	want.MaxMsgsPerSubject = asked.revisions(have.MaxBytes)
	lacks := map[string]any{}
	flags := []struct {
		member     string
		have, want bool
	}{
		{"allow_atomic", have.AllowAtomicPublish, want.AllowAtomicPublish},
		{"allow_direct", have.AllowDirect, want.AllowDirect},
		{"allow_rollup_hdrs", have.AllowRollup, want.AllowRollup},
		{"allow_msg_ttl", have.AllowMsgTTL, want.AllowMsgTTL},
	}
	for _, flag := range flags {
		if flag.want && !flag.have {
			lacks[flag.member] = true
		}
	}
	if want.SubjectDeleteMarkerTTL > 0 && have.SubjectDeleteMarkerTTL == 0 {
		lacks["subject_delete_marker_ttl"] = want.SubjectDeleteMarkerTTL
	}
	if have.Replicas < want.Replicas {
		lacks["num_replicas"] = want.Replicas
	}
	if have.MaxMsgsPerSubject > 0 && have.MaxMsgsPerSubject < want.MaxMsgsPerSubject { // a bucket's history
		lacks["max_msgs_per_subject"] = want.MaxMsgsPerSubject
	}
	if subjects := widen(have.Subjects, want.Subjects); len(subjects) > 0 {
		lacks["subjects"] = subjects
	}
	return lacks
}

// widen returns the subjects of a stream that takes all of want, or none if it does.
func widen(have, want []string) []string {
	missing := slices.DeleteFunc(slices.Clone(want), func(subject string) bool {
		return slices.ContainsFunc(have, func(pattern string) bool { return covers(pattern, subject) })
	})
	if len(missing) == 0 {
		return nil
	}
	// A stream's own subjects may not overlap.
	kept := slices.DeleteFunc(slices.Clone(have), func(subject string) bool {
		return slices.ContainsFunc(missing, func(pattern string) bool { return covers(pattern, subject) })
	})
	return append(kept, missing...)
}

// covers reports whether pattern matches everything that subject does.
func covers(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range p {
		switch {
		case token == ">":
			return len(s) > i
		case i >= len(s) || s[i] == ">":
			return false
		case token != "*" && token != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}

// advise adds to a refusal what an operator can do about it.
func advise(err error) error {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return err
	}
	switch refusal.ErrorCode {
	case 10065: // subjects overlap
		return fmt.Errorf("%w: another stream takes them (`nats stream find --subject`); take them from it, or remove it", err)
	case 10074, 10005: // replicas need a cluster, of enough peers
		return fmt.Errorf("%w: configure no more replicas than the cluster has servers", err)
	case CodeNoStorage, 10028, CodeAccountFull, CodeNoResources: // no room
		return fmt.Errorf("%w: give JetStream more room, or the stream fewer bytes", err)
	case codeBytesRequired: // of a stream from before the account asked for it
		return fmt.Errorf("%w: set it: nats stream edit --max-bytes", err)
	case codeStreamTooLarge:
		return fmt.Errorf("%w: lower its max_bytes: nats stream edit --max-bytes", err)
	case codeTooManyStreams, codeNoTier:
		return fmt.Errorf("%w: have the account's limit raised", err)
	}
	return err
}

func names(members map[string]any) string {
	var list []string
	for member, value := range members {
		list = append(list, fmt.Sprintf("%s=%v", member, value))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// StreamChanged reports whether an error means that a stream or bucket is gone, or was changed so
// that it can't be written as before: Store.Ensure repairs that or records it.
func StreamChanged(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jetstream.JSErrCodeStreamNotFound {
		return true
	}
	return errors.Is(err, errDisabled) || errors.Is(err, ErrMessageSize) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse)
}
