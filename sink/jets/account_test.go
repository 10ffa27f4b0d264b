package jets

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

const mebi = 1 << 20

// limited is a server whose account has limits: of all, or of streams with one copy.
func limited(t *testing.T, tier string, limit func(*jwt.JetStreamLimits)) *jetstest.Server {
	t.Helper()
	return jetstest.Config{Account: func(account *jwt.AccountClaims) {
		limits := account.Limits.JetStreamLimits
		limit(&limits)
		account.Limits.JetStreamLimits = limits
		if tier != "" {
			account.Limits.JetStreamLimits = jwt.JetStreamLimits{}
			account.Limits.JetStreamTieredLimits = jwt.JetStreamTieredLimits{tier: limits}
		}
	}}.Run(t)
}

// An account that requires max_bytes gets streams and buckets of sizes that fit, the
// optional ones too, with or without tiers.
func TestOpenWhereMaxBytesIsRequired(t *testing.T) {
	for _, tier := range []string{"", "R1"} {
		s := limited(t, tier, func(l *jwt.JetStreamLimits) {
			l.MaxBytesRequired, l.DiskStorage, l.DiskMaxStreamBytes, l.Streams = true, 400*mebi, 100*mebi, 13
		})
		store := opened(t, s, Config{Kinds: oktaKinds})
		for _, ensure := range []error{
			store.EnsureHistory(t.Context()), store.EnsureConsole(t.Context(), 1), store.EnsureChanges(t.Context()), store.EnsureNotifications(t.Context()),
		} {
			if ensure != nil {
				t.Errorf("tier %q: %v", tier, ensure)
			}
		}
		for _, want := range store.needed() {
			c := configOf(t, store.Conn, want.config.Name)
			if c.MaxBytes < leastLetters || c.MaxBytes > 100*mebi || strings.HasPrefix(c.Name, "KV_") && (c.MaxBytes < leastBucket || c.MaxBytes > mostBucket) {
				t.Errorf("tier %q: %s has max_bytes %d", tier, c.Name, c.MaxBytes)
			}
		}
		if c := configOf(t, store.Conn, StreamSignals); c.MaxBytes != 100*mebi {
			t.Errorf("tier %q: SIGNALS has max_bytes %d, want the most that one stream may have", tier, c.MaxBytes)
		}
		if c := configOf(t, store.Conn, BucketStream(BucketCursors)); c.MaxMsgsPerSubject < 2 || c.MaxMsgsPerSubject >= 10 {
			t.Errorf("tier %q: CURSORS of %d MiB keeps %d revisions", tier, c.MaxBytes/mebi, c.MaxMsgsPerSubject)
		}
		opened(t, s, Config{Kinds: oktaKinds}) // nothing is to be added at the next start
		account, err := store.Conn.Account(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if used, err := account.tier(1); err != nil || used.Reserved > 400*mebi || used.Streams != 13 {
			t.Errorf("tier %q: %+v, %v", tier, used, err)
		}
	}
}

// What an account lacks for the first start is told with its figure, and nothing is made.
func TestOpenInTooSmallAnAccount(t *testing.T) {
	for _, c := range []struct {
		tier  string
		limit func(*jwt.JetStreamLimits)
		want  string
	}{
		{"", func(l *jwt.JetStreamLimits) { l.Streams = 5 }, "room for 5 more streams, and 7 are needed"},
		{"", func(l *jwt.JetStreamLimits) { l.MaxBytesRequired, l.DiskStorage = true, 100*mebi }, "48 MiB are missing"},
		{"", func(l *jwt.JetStreamLimits) { l.MaxBytesRequired, l.DiskMaxStreamBytes = true, 10*mebi }, "at most 10 MiB"},
		{"R3", func(*jwt.JetStreamLimits) {}, "no tier R1"},
	} {
		s := limited(t, c.tier, c.limit)
		conn := dial(t, s)
		if _, err := Open(t.Context(), conn, Config{Kinds: oktaKinds}); !errors.Is(err, ErrAccountLimit) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if _, err := conn.Fits(t.Context(), Config{Kinds: oktaKinds}); !errors.Is(err, ErrAccountLimit) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("doctor would say %v, want %q", err, c.want)
		}
		if account, err := conn.Account(t.Context()); err != nil || account.Streams != 0 {
			t.Errorf("%s: %d streams are made, %v", c.want, account.Streams, err)
		}
	}
}

func TestOpenWithSmallPayload(t *testing.T) {
	small := jetstest.Config{Account: func(account *jwt.AccountClaims) { account.Limits.Payload = 32 << 10 }}.Run(t)
	if _, err := Open(t.Context(), dial(t, small), Config{Kinds: oktaKinds}); !errors.Is(err, ErrAccountLimit) || !strings.Contains(err.Error(), "32 KiB are missing") {
		t.Errorf("max_payload 32 KiB: %v", err)
	}
	var log bytes.Buffer
	opened(t, jetstest.Config{MaxPayload: 256 << 10}.Run(t), Config{Kinds: oktaKinds, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), `missing="768 KiB"`) {
		t.Errorf("max_payload 256 KiB: %s", log.String())
	}
}

// Without a stream to spare, the least useful buckets are left out. The log says so once.
func TestOptionalBucketsAreLeftOut(t *testing.T) {
	var log bytes.Buffer
	s := limited(t, "", func(l *jwt.JetStreamLimits) { l.Streams = 9 })
	store := opened(t, s, Config{Kinds: oktaKinds, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 2 {
		if err := store.EnsureHistory(t.Context()); !errors.Is(err, ErrLeftOut) {
			t.Errorf("HISTORY: %v", err)
		}
		if err := store.EnsureNotifications(t.Context()); !errors.Is(err, ErrLeftOut) {
			t.Errorf("NOTIFICATIONS: %v", err)
		}
	}
	if err := store.EnsureConsole(t.Context(), 1); err != nil || store.LeftOut(BucketConsole) {
		t.Errorf("CONSOLE: %v", err)
	}
	if !store.LeftOut(BucketHistory) {
		t.Error("HISTORY does not count as left out")
	}
	if n := strings.Count(log.String(), "left out: HISTORY"); n != 1 || !strings.Contains(log.String(), "no states of the last 24 hours") {
		t.Errorf("told %d times: %s", n, log.String())
	}
	if _, err := store.Conn.Info(t.Context(), BucketStream(BucketBudgets)); err != nil {
		t.Errorf("BUDGETS: %v", err)
	}
	leftOut, err := store.Conn.Fits(t.Context(), Config{Kinds: oktaKinds})
	if err != nil || leftOut[BucketHistory] == nil || leftOut[BucketConsole] != nil {
		t.Errorf("doctor would say %v, %v", leftOut, err)
	}
	did, err := Provision(t.Context(), store.Conn, Config{Kinds: oktaKinds})
	if err != nil || len(did) != 13 || did[8].Name != BucketBudgets || did[0].Done != OutcomeUnchanged || did[len(did)-1].Done != OutcomeLeftOut {
		t.Errorf("provision: %+v, %v", did, err)
	}
}

// A user who may not create streams is told which are missing. With those that an
// administrator makes of what Define prints, the store opens.
func TestAdministratorMakesStreams(t *testing.T) {
	s := jetstest.Config{Password: "pw", Deny: "$JS.API.STREAM.CREATE.>"}.Run(t)
	conn := dial(t, s)
	_, err := Open(t.Context(), conn, Config{Kinds: oktaKinds})
	if !errors.Is(err, ErrMayNotCreate) || !strings.Contains(err.Error(), "missing: INTEGRATIONS, CURSORS, LOCKS, STATUS, BACKFILLS, DEADLETTER, SIGNALS") {
		t.Fatalf("without streams: %v", err)
	}
	definitions, err := Define(t.Context(), conn, Config{Kinds: oktaKinds})
	if err != nil || len(definitions) != 13 {
		t.Fatalf("%d definitions: %v", len(definitions), err)
	}
	admin, err := jetstream.New(s.Admin(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range definitions {
		if _, err := admin.CreateStream(t.Context(), *d.Config); err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		if d.Name == StreamSignals && d.Config.FirstSeq < freshMargin {
			t.Errorf("SIGNALS begins at %d, where an old fence can fit", d.Config.FirstSeq)
		}
	}
	store := opened(t, s, Config{Kinds: oktaKinds})
	if err := errors.Join(store.EnsureHistory(t.Context()), store.EnsureConsole(t.Context(), 1)); err != nil {
		t.Error(err)
	}
	did, err := Provision(t.Context(), conn, Config{Kinds: oktaKinds})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range did {
		if d.Done != OutcomeUnchanged {
			t.Errorf("%s made as defined is %s: %s", d.Name, d.Done, d.Detail)
		}
	}
}

// A stream that this user may not change is used as it is, unless it lacks what nothing
// works without: that error names the field and the command.
func TestStreamsThatMayNotBeChanged(t *testing.T) {
	s := jetstest.Config{Password: "pw", Deny: "$JS.API.STREAM.UPDATE.>"}.Run(t)
	conn := dial(t, s)
	opened(t, s, Config{Kinds: oktaKinds})
	admin, err := jetstream.New(s.Admin(t))
	if err != nil {
		t.Fatal(err)
	}
	change := func(stream string, change func(*jetstream.StreamConfig)) {
		t.Helper()
		config := configOf(t, conn, stream)
		change(&config)
		if _, err := admin.UpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	change(BucketStream(BucketCursors), func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 3 })
	var log bytes.Buffer
	opened(t, s, Config{Kinds: oktaKinds, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "nats stream edit KV_CURSORS --max-msgs-per-subject=10") {
		t.Errorf("log: %s", log.String())
	}
	change(StreamSignals, func(c *jetstream.StreamConfig) { c.Subjects = []string{"signals.>"} })
	_, err = Open(t.Context(), conn, Config{Kinds: oktaKinds})
	if !errors.Is(err, ErrMayNotChange) || !strings.Contains(err.Error(), "nats stream edit SIGNALS --subjects='signals.>,signal-cursor.>'") {
		t.Errorf("without subjects: %v", err)
	}
}

// A full bucket replaces what it keeps, and refuses new keys. The revisions that a bucket
// with a size keeps leave room for the instances that it is made for.
func TestFullBucket(t *testing.T) {
	s := limited(t, "", func(l *jwt.JetStreamLimits) { l.MaxBytesRequired, l.DiskStorage = true, 300*mebi })
	store := opened(t, s, Config{Kinds: oktaKinds})
	for _, want := range store.buckets() {
		c := configOf(t, store.Conn, want.config.Name)
		if want.value > 0 && c.MaxMsgsPerSubject*want.value*instancesKept > c.MaxBytes*3/2 {
			t.Errorf("%s of %d MiB keeps %d revisions of %d bytes", c.Name, c.MaxBytes/mebi, c.MaxMsgsPerSubject, want.value)
		}
	}
	value := make([]byte, 64<<10)
	put := func(key string, revision uint64) (uint64, error) {
		return store.Conn.Put(t.Context(), BucketStatus, key, revision, &nats.Msg{Data: value})
	}
	first, err := put("okta.first", 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; err == nil; n++ {
		if _, err = put("okta.x"+strings.Repeat("x", n), 0); n > 2000 {
			t.Fatal("the bucket takes more than its size")
		}
	}
	if refusal, ok := errors.AsType[*APIError](err); !ok || refusal.ErrCode != CodeStoreFailed {
		t.Errorf("a new key: %v", err)
	}
	if _, err := put("okta.first", first); err != nil {
		t.Errorf("a key that is there: %v", err)
	}
}
