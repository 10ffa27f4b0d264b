package jets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// ErrAccountLimit refuses an account whose limits leave too little for what is needed.
var ErrAccountLimit = errors.New("the account's limits are too low")

// Account is JetStream's answer about the account: what it may use and what it uses.
type Account struct {
	Tier                   // of an account without tiers
	Domain string          `json:"domain"`
	Tiers  map[string]Tier `json:"tiers"` // by name: R1, R3; empty: it has none
}

// Tier is what the streams of one number of copies may use together, or those of an
// account without tiers.
type Tier struct {
	Store    uint64 `json:"storage"`          // bytes stored
	Reserved uint64 `json:"reserved_storage"` // bytes that max_bytes of its streams set aside
	Streams  int    `json:"streams"`
	Limits   Limits `json:"limits"`
}

// Limits of an account or tier. A number of 0 or less is no limit, except MaxStore, which
// has none below 0.
type Limits struct {
	MaxStore         int64 `json:"max_storage"`
	MaxStreams       int   `json:"max_streams"`
	MaxConsumers     int   `json:"max_consumers"` // of each stream
	MaxAckPending    int   `json:"max_ack_pending"`
	MaxStreamBytes   int64 `json:"storage_max_stream_bytes"`
	MaxBytesRequired bool  `json:"max_bytes_required"`
}

// Account asks JetStream about the account.
func (c *Conn) Account(ctx context.Context) (*Account, error) {
	var a Account
	if err := c.Ask(ctx, "INFO", nil, &a); err != nil {
		return nil, fmt.Errorf("ask for the account's limits: %w", err)
	}
	return &a, nil
}

// tier returns what applies to streams of so many copies. Its error matches
// ErrAccountLimit: there is no such tier.
func (a *Account) tier(copies int) (Tier, error) {
	if len(a.Tiers) == 0 {
		return a.Tier, nil
	}
	name := fmt.Sprintf("R%d", copies)
	if t, ok := a.Tiers[name]; ok {
		return t, nil
	}
	return Tier{}, fmt.Errorf("%w: it has no tier %s for streams of %s, but %s: set SIGNAL_CLIENT_NATS_REPLICAS to a number of copies that it has",
		ErrAccountLimit, name, copiesText(copies), strings.Join(slices.Sorted(maps.Keys(a.Tiers)), ", "))
}

func copiesText(n int) string {
	if n == 1 {
		return "1 copy"
	}
	return fmt.Sprintf("%d copies", n)
}

// without is the number that stands for no limit.
const without = math.MaxInt64

// allowance is what an account leaves for new streams.
type allowance struct {
	streams  int64 // how many
	bytes    int64 // of all together, counted once, whatever their copies
	each     int64 // most bytes of one
	required bool  // each must state its max_bytes
}

// allowance returns what the account leaves for streams of so many copies.
func (a *Account) allowance(copies int) (allowance, error) {
	t, err := a.tier(copies)
	if err != nil {
		return allowance{}, err
	}
	left := allowance{streams: without, bytes: without, each: without, required: t.Limits.MaxBytesRequired}
	if most := t.Limits.MaxStreams; most > 0 {
		left.streams = max(0, int64(most-t.Streams))
	}
	if most := t.Limits.MaxStreamBytes; most > 0 {
		left.each = most
	}
	if most := t.Limits.MaxStore; most >= 0 {
		left.bytes = max(0, most-int64(max(t.Reserved, t.Store)))
		if len(a.Tiers) == 0 { // a tier's limit counts each stream once
			left.bytes /= int64(cmp.Or(copies, 1))
		}
	}
	return left, nil
}
