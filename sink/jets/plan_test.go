package jets

import (
	"errors"
	"strings"
	"testing"
)

// planned returns what a new store gets in an account that leaves so much.
func planned(t *testing.T, left allowance, cfg Config) (plan, error) {
	t.Helper()
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{shared: &shared{config: cfg}}
	return left.divide(s.needed(), s.optional())
}

func TestPlanFits(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	for _, c := range []struct {
		name               string
		left               allowance
		configured         int64
		signals, letters   int64 // 0: as configured
		leastBuckets, most int64
		out                string
	}{
		{"nothing required", allowance{without, without, without, false}, 0, 0, 0, 0, 256 * mib, ""},
		{"nothing required, a small account", allowance{without, 100 * mib, without, false}, 0, 0, 0, 0, mostBucket, ""},
		{"half of 10 GiB", allowance{without, 10 * gib, without, true}, 0, 5 * gib, 256 * mib, mostBucket, mostBucket, ""},
		{"configured", allowance{without, 10 * gib, without, true}, 2 * gib, 0, 2 * gib / 20, mostBucket, mostBucket, ""},
		{"streams of at most 1 GiB", allowance{without, 10 * gib, gib, true}, 0, gib, gib / 20, mostBucket, mostBucket, ""},
		{"no limit", allowance{without, without, without, true}, 0, assumedRoom / 2, assumedRoom / 40, mostBucket, mostBucket, ""},
		{"a gibibyte", allowance{without, gib, without, true}, 0, gib / 2, gib / 40, leastBucket, mostBucket, ""},
		{"300 MiB", allowance{without, 300 * mib, without, true}, 0, 0, 0, leastBucket, mostBucket, ""},
		{"200 MiB", allowance{without, 200 * mib, without, true}, 0, 0, 0, leastBucket, mostBucket, "NOTIFICATIONS NOTIFIED HISTORY"},
		{"eight streams", allowance{8, 10 * gib, without, true}, 0, 5 * gib, 256 * mib, mostBucket, mostBucket, "BUDGETS CHANGES NOTIFICATIONS NOTIFIED HISTORY"},
		{"eleven streams", allowance{11, without, without, false}, 0, 0, 0, 0, 256 * mib, "NOTIFICATIONS NOTIFIED HISTORY"},
	} {
		p, err := planned(t, c.left, Config{MaxBytes: c.configured})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		total := c.configured
		for name, size := range p.sizes {
			total += size
			if size > c.left.each {
				t.Errorf("%s: %s has %d", c.name, name, size)
			}
			if strings.HasPrefix(name, "KV_") && (size < c.leastBuckets || size > c.most) {
				t.Errorf("%s: %s has %d, want %d to %d", c.name, name, size, c.leastBuckets, c.most)
			}
		}
		if total > c.left.bytes {
			t.Errorf("%s: all together have %d of %d: %v", c.name, total, c.left.bytes, p.sizes)
		}
		if c.signals > 0 && p.sizes[StreamSignals] != c.signals {
			t.Errorf("%s: SIGNALS has %d, want %d", c.name, p.sizes[StreamSignals], c.signals)
		}
		if c.letters > 0 && p.sizes[StreamDeadLetter] != c.letters {
			t.Errorf("%s: DEADLETTER has %d, want %d", c.name, p.sizes[StreamDeadLetter], c.letters)
		}
		if c.left.required && p.sizes[StreamSignals]+c.configured < LeastBytes {
			t.Errorf("%s: SIGNALS has %d", c.name, p.sizes[StreamSignals])
		}
		for name := range p.out {
			if !strings.Contains(" "+c.out+" ", " "+strings.TrimPrefix(name, "KV_")+" ") {
				t.Errorf("%s: %s is left out", c.name, name)
			}
		}
		if len(p.out) != len(strings.Fields(c.out)) {
			t.Errorf("%s: left out %v, want %s", c.name, p.out, c.out)
		}
	}
}

// What is missing is told with its figure.
func TestPlanDoesNotFit(t *testing.T) {
	const mib = 1 << 20
	for want, c := range map[string]struct {
		left       allowance
		configured int64
	}{
		"room for 5 more streams, and 7 are needed":       {allowance{5, without, without, false}, 0},
		"INTEGRATIONS, CURSORS, LOCKS, STATUS, BACKFILLS": {allowance{6, without, without, false}, 0},
		"2 are missing": {allowance{5, without, without, false}, 0},
		"need 148 MiB at least: 48 MiB are missing":         {allowance{without, 100 * mib, without, true}, 0},
		"at most 32 MiB, and SIGNALS has at least 64 MiB":   {allowance{without, 1000 * mib, 32 * mib, true}, 0},
		"leaves 500 MiB for streams":                        {allowance{without, 500 * mib, without, false}, 600 * mib},
		"SIGNALS has at least 200 MiB: 100 MiB are missing": {allowance{without, without, 100 * mib, false}, 200 * mib},
	} {
		_, err := planned(t, c.left, Config{MaxBytes: c.configured})
		if !errors.Is(err, ErrAccountLimit) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAllowance(t *testing.T) {
	const mib = 1 << 20
	flat := Account{Tier: Tier{Store: 10 * mib, Reserved: 30 * mib, Streams: 3, Limits: Limits{MaxStore: 330 * mib, MaxStreams: 10, MaxStreamBytes: 50 * mib, MaxBytesRequired: true}}}
	tiers := Account{Tiers: map[string]Tier{"R3": flat.Tier}}
	for _, c := range []struct {
		account Account
		copies  int
		want    allowance
	}{
		{flat, 1, allowance{7, 300 * mib, 50 * mib, true}},
		{flat, 3, allowance{7, 100 * mib, 50 * mib, true}},
		{tiers, 3, allowance{7, 300 * mib, 50 * mib, true}},
		{Account{Tier: Tier{Limits: Limits{MaxStore: -1, MaxStreams: -1, MaxStreamBytes: -1}}}, 1, allowance{without, without, without, false}},
		{Account{Tier: Tier{Store: 10 * mib, Limits: Limits{MaxStore: 5 * mib}}}, 1, allowance{without, 0, without, false}},
	} {
		got, err := c.account.allowance(c.copies)
		if err != nil || got != c.want {
			t.Errorf("%d copies: %+v, %v, want %+v", c.copies, got, err, c.want)
		}
	}
	if _, err := tiers.allowance(1); !errors.Is(err, ErrAccountLimit) || !strings.Contains(err.Error(), "no tier R1 for streams of 1 copy, but R3") {
		t.Errorf("without a tier: %v", err)
	}
}
