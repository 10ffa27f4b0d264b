package doctor

import (
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Doctor tells what an account lacks with its figure, before and after the first start.
func TestDoctorTellsAccountLimits(t *testing.T) {
	for _, c := range []struct {
		streams int64
		open    bool
		want    outcome
		found   string
	}{
		{5, false, outcomeWrong, "room for 5 more streams, and 7 are needed"},
		{8, false, outcomeWarning, "HISTORY is left out: more useful ones come first"},
		{8, true, outcomeWarning, "BUDGETS is left out: the account has no stream left for it"},
		{20, true, outcomeOK, "8 of 20 streams"},
	} {
		server := jetstest.Config{Account: func(account *jwt.AccountClaims) { account.Limits.JetStreamLimits.Streams = c.streams }}.Run(t)
		conn, err := jets.Connect(t.Context(), "", server.Option())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		asked := jets.Config{Kinds: kinds.All.Plain()}
		if c.open {
			if _, err := jets.Open(t.Context(), conn, asked); err != nil {
				t.Fatal(err)
			}
		}
		s := &surroundings{conn: conn}
		s.account, s.accountErr = conn.Account(t.Context())
		s.leftOut, s.fitErr = conn.Fits(t.Context(), asked)
		var d observation
		s.limits(t.Context(), &d)
		if f := d.finding(groupNATS, "", "limits"); f.Result != c.want || !strings.Contains(f.Found, c.found) {
			t.Errorf("%d streams: %+v, want %s with %q", c.streams, f, c.want, c.found)
		}
	}
}

// A bucket is to be made larger before it takes no new keys.
func TestDoctorWarnsOfFullBuckets(t *testing.T) {
	config := jetstream.StreamConfig{Name: "KV_CURSORS", MaxBytes: 100}
	for used, want := range map[uint64]outcome{79: outcomeOK, 80: outcomeWarning, 97: outcomeWrong} {
		var d observation
		d.bucketUsage(used, config)
		if f := d.finding(groupStreams, "", "CURSORS"); f.Result != want {
			t.Errorf("%d %%: %+v", used, f)
		}
	}
}

func TestFaultyBatches(t *testing.T) {
	for version, faulty := range map[string]bool{
		"2.12.0": true, "2.12.13": true, "2.12.14": false, "2.12.15-RC.1": false, "2.14.0": true, "2.14.3": true, "2.14.4": false, "2.15.2": false, "3.0.0": false, "dev": false,
	} {
		if got := jets.FaultyBatches(version); got != faulty {
			t.Errorf("%s: %v", version, got)
		}
	}
}
