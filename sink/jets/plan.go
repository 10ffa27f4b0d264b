package jets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go/jetstream"
)

// Sizes of streams in an account where each must state its max_bytes.
const (
	leastBucket  = 16 << 20
	mostBucket   = 64 << 20
	leastLetters = 4 << 20
	// letterShare is the part of SIGNALS that DEADLETTER gets.
	letterShare = 20
	// assumedRoom is divided among the streams if the account itself has no limit.
	assumedRoom = 16 << 30
)

// instancesKept is for how many instances a bounded bucket has room, whatever its size: at
// its least size it keeps fewer revisions of each. A bucket refuses new keys when it is
// full; a key that has all the revisions that the bucket keeps is still replaced by a
// value of its size (server/filestore.go, nats-server 2.15.2).
const instancesKept = 5000

// leastPayload is what common events need; above commonPayload are very few.
const (
	leastPayload  = 64 << 10
	commonPayload = 1 << 20
)

// ErrLeftOut: an optional bucket does not exist, because the account leaves no stream or
// bytes for it, or this user may not create it.
var ErrLeftOut = errors.New("left out")

// bucketsGroup are optional buckets that exist together or not at all.
type bucketsGroup struct {
	streams []stream
	without string // what is missing without them
}

// optional returns what polling works without, the most useful first: a limited account
// gets the first of them that it has room for.
func (s *Store) optional() []bucketsGroup {
	return []bucketsGroup{
		{[]stream{s.console()}, "nobody can log in to the console with a password, and it has no API tokens and saved searches"},
		{[]stream{s.budgets()}, "processes do not share what is left of an org's limit"},
		{[]stream{s.changes()}, "it is not recorded who changed what of an integration"},
		{s.notifications(), "there are no notifications"},
		{[]stream{s.history()}, "the console shows no states of the last 24 hours"},
	}
}

// needed returns what polling needs, in the order of creation: CURSORS before SIGNALS,
// whose first sequence depends on it.
func (s *Store) needed() []stream {
	return append(s.buckets(), s.deadLetters(), s.signals())
}

// plan is what a limited account gets.
type plan struct {
	sizes map[string]int64 // max_bytes by name of the stream; absent: as configured
	out   map[string]error // why a stream is left out, by name
}

// plan divides what the account leaves among the streams that are missing. Its error
// matches ErrAccountLimit and names the figure that is missing.
func (s *Store) plan(ctx context.Context) (plan, error) {
	account, err := s.Conn.Account(ctx)
	if err != nil {
		return plan{}, err
	}
	missing := func(streams []stream) ([]stream, error) {
		var all []stream
		for _, want := range streams {
			_, err := s.Conn.Info(ctx, want.config.Name)
			if errors.Is(err, jetstream.ErrStreamNotFound) {
				all = append(all, want)
			} else if err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	needed, err := missing(s.needed())
	if err != nil {
		return plan{}, err
	}
	optional := s.optional()
	for n := range optional {
		if optional[n].streams, err = missing(optional[n].streams); err != nil {
			return plan{}, err
		}
	}
	copies, err := s.copies(ctx)
	if err != nil {
		return plan{}, err
	}
	left, err := account.allowance(copies)
	if err != nil {
		return plan{}, err
	}
	return left.divide(needed, optional)
}

// copies returns how many copies a new stream gets. A command that uses Attach makes as
// many as INTEGRATIONS has.
func (s *Store) copies(ctx context.Context) (int, error) {
	if s.config.Replicas > 0 {
		return s.config.Replicas, nil
	}
	info, err := s.Conn.Info(ctx, BucketStream(BucketIntegrations))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	integrations, err := info.Configuration()
	return max(1, integrations.Replicas), err
}

// divide plans for the missing streams.
func (a allowance) divide(needed []stream, optional []bucketsGroup) (plan, error) {
	p := plan{sizes: map[string]int64{}, out: map[string]error{}}
	if n := int64(len(needed)); n > a.streams {
		return p, fmt.Errorf("%w: it has room for %d more streams, and %d are needed: %s: %d are missing", ErrAccountLimit, a.streams, n, namesOf(needed), n-a.streams)
	}
	var least int64 // bytes that are set aside at least
	for _, want := range needed {
		size := a.least(want)
		if size > a.each {
			return p, fmt.Errorf("%w: a stream may have at most %s, and %s has at least %s: %s are missing",
				ErrAccountLimit, humanize.IBytes(uint64(a.each)), want.config.Name, humanize.IBytes(uint64(size)), humanize.IBytes(uint64(size-a.each)))
		}
		least += size
	}
	if least > a.bytes {
		return p, fmt.Errorf("%w: it leaves %s for streams, and %s need %s at least: %s are missing",
			ErrAccountLimit, humanize.IBytes(uint64(a.bytes)), namesOf(needed), humanize.IBytes(uint64(least)), humanize.IBytes(uint64(least-a.bytes)))
	}
	wanted, full := slices.Clone(needed), false
	for _, group := range optional {
		size, n := int64(0), int64(len(group.streams))
		for _, want := range group.streams {
			size += a.least(want)
		}
		var why error
		switch {
		case full:
			why = errors.New("more useful ones come first")
		case n > 0 && int64(len(wanted))+n > a.streams:
			why = fmt.Errorf("the account has no stream left for it: %d more are needed", int64(len(wanted))+n-a.streams)
		case least+size > a.bytes:
			why = fmt.Errorf("the account has no room left for it: %s more are needed", humanize.IBytes(uint64(least+size-a.bytes)))
		default:
			wanted, least = append(wanted, group.streams...), least+size
			continue
		}
		full = true
		for _, want := range group.streams {
			p.out[want.config.Name] = fmt.Errorf("%w: %w", ErrLeftOut, why)
		}
	}
	a.size(p.sizes, wanted)
	return p, nil
}

// least returns the fewest bytes to set aside for a stream.
func (a allowance) least(want stream) int64 {
	most := want.config.MaxBytes
	switch {
	case want.config.Name == StreamSignals && most > 0:
		return most
	case !a.required && most > 0: // a bucket with a size of its own
		return min(most, leastBucket)
	case !a.required:
		return 0
	case want.config.Name == StreamSignals:
		return LeastBytes
	case want.config.Name == StreamDeadLetter:
		return leastLetters
	}
	return leastBucket
}

// size decides the sizes of streams whose least sizes fit together. SIGNALS gets what is
// configured, else half of what is left, or less if the others need more; DEADLETTER a
// twentieth of that; the buckets share the rest equally.
func (a allowance) size(sizes map[string]int64, wanted []stream) {
	left := a.bytes
	if left == without {
		left = assumedRoom
	}
	spare, shared := left, int64(0)
	for _, want := range wanted {
		spare -= a.least(want)
		if a.bounds(want) {
			shared++
		}
	}
	spare = max(0, spare)
	grow := func(want stream, to int64) {
		least := a.least(want)
		more := max(0, min(to-least, spare, a.each-least))
		sizes[want.config.Name], spare = least+more, spare-more
	}
	signals := left / 2 // of a stream that exists already
	for _, want := range slices.Backward(wanted) {
		switch {
		case !a.required:
		case want.config.Name == StreamSignals && want.config.MaxBytes > 0:
			signals = want.config.MaxBytes
		case want.config.Name == StreamSignals:
			grow(want, min(left/2, a.least(want)+spare*letterShare/(letterShare+1)))
			signals = sizes[StreamSignals]
		case want.config.Name == StreamDeadLetter:
			grow(want, signals/letterShare)
		}
	}
	for _, want := range wanted {
		if !a.bounds(want) {
			continue
		}
		most := want.config.MaxBytes
		if most <= 0 || a.bytes != without || a.required {
			most = mostBucket
		}
		size := spare / shared
		grow(want, min(most, a.least(want)+size))
		shared--
	}
}

// bounds reports whether a stream is a bucket with a size.
func (a allowance) bounds(want stream) bool {
	_, bucket := strings.CutPrefix(want.config.Name, BucketStream(""))
	return bucket && (a.required || want.config.MaxBytes > 0)
}

func namesOf(streams []stream) string {
	var all []string
	for _, s := range streams {
		all = append(all, strings.TrimPrefix(s.config.Name, BucketStream("")))
	}
	return strings.Join(all, ", ")
}
