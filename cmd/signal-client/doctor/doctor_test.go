package doctor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/source"
)

// With topics.Permissions, doctor finds that the service may do all that it needs, and
// with a consumer's permissions it names what is missing. The check stores and changes
// nothing, and no live subscriber of events sees it.
func TestDoctorTriesPermissions(t *testing.T) {
	natsd, refused := clitest.Server(t)
	stage, err := jets.Connect(t.Context(), clitest.UserURL(natsd, "stage"))
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	if _, err := jets.Open(t.Context(), stage, jets.Config{Kinds: kinds.All.Plain()}); err != nil {
		t.Fatal(err)
	}
	if got := refused.Take(); got != "" {
		t.Fatalf("refused: %s", got)
	}
	admin, err := jets.Connect(t.Context(), clitest.UserURL(natsd, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	live, err := admin.NATS.SubscribeSync("signals.okta.*")
	if err != nil {
		t.Fatal(err)
	}
	before := everything(t, admin)
	find := func(user string) finding {
		d := &doctor{doctorFlags: doctorFlags{timeout: clitest.Patience}, nats: config.NATS{URL: clitest.UserURL(natsd, user)}}
		s := d.look(t.Context())
		defer s.close()
		if s.away != nil {
			t.Fatal(s.away)
		}
		ctx, cancel := context.WithTimeout(t.Context(), clitest.Patience)
		defer cancel()
		var g observation
		s.permissions(ctx, &g)
		return g.finding(groupNATS, "", "permissions")
	}
	if f := find("stage"); f.Result != outcomeOK {
		t.Errorf("the stage's: %+v", f)
	}
	if got := refused.Take(); got != "" {
		t.Errorf("more is asked for than topics.Permissions grants: %s", got)
	}
	if f := find("admin"); f.Result != outcomeOK {
		t.Errorf("the admin's: %+v", f)
	}
	if after := everything(t, admin); after != before {
		t.Errorf("changed from\n%s\nto\n%s", before, after)
	}
	if n, _, _ := live.Pending(); n != 0 {
		t.Errorf("%d messages on signals.okta.*", n)
	}

	// A user without all of it: the siem's may not even look at the account. No
	// answer comes, so this takes the whole time; a busy machine may need more.
	var f finding
	for timeout := time.Second; timeout <= 16*time.Second && !strings.Contains(f.Remedy, "help permissions"); timeout *= 2 {
		d := &doctor{doctorFlags: doctorFlags{timeout: timeout}, nats: config.NATS{URL: clitest.UserURL(natsd, "siem")}}
		s := d.look(t.Context())
		defer s.close()
		var g observation
		s.reachable(t.Context(), &g)
		f = g.finding(groupNATS, "", "reachable")
	}
	if f.Result != outcomeWrong || !strings.Contains(f.Remedy, "help permissions") {
		t.Errorf("the siem's: %+v", f)
	}
}

// everything is the state of all streams, as text.
func everything(t *testing.T, c *jets.Conn) string {
	t.Helper()
	all, err := c.Inspect(t.Context(), jets.Config{Kinds: kinds.All.Plain()})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, i := range all {
		if i.Info == nil {
			t.Fatalf("%s: %v", i.Name, i.Unfit)
		}
		fmt.Fprintf(&b, "%s %d %d %+v\n", i.Name, i.Info.State.Msgs, i.Info.State.LastSeq, i.Info.Config)
	}
	return b.String()
}

// A check that ignores its context is not waited for, and the other checks' findings keep
// their order.
func TestChecksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		defer close(stuck)
		checks := []check{
			one("a", "hangs", func(context.Context, *observation) { <-stuck }),
			one("a", "waits", func(ctx context.Context, d *observation) { <-ctx.Done(); d.fact("%v", ctx.Err()) }),
			one("a", "ends", func(_ context.Context, d *observation) { d.fact("at once") }),
		}
		found := perform(t.Context(), checks, time.Second)
		if len(found) != 3 || found[0].Result != outcomeWrong || found[0].Found != "not finished within 1s" ||
			found[1].Found != context.DeadlineExceeded.Error() || found[2].Found != "at once" {
			t.Errorf("found %+v", found)
		}
	})
}

func TestCheckupFormats(t *testing.T) {
	ok := finding{Group: groupNATS, Check: "version", Result: outcomeOK, Found: "2.15.2"}
	warning := finding{Group: groupStreams, Check: "SIGNALS", Result: outcomeWarning, Found: "it lacks | something", Remedy: "nats stream edit"}
	bad := finding{Group: groupInstance, Instance: "acme", Check: "request", Result: outcomeWrong, Found: "status 401\nmore", Remedy: "make a new token"}
	away := finding{Group: groupFleet, Check: "locks", Result: outcomeSkipped, Found: notReached}
	for _, c := range []struct {
		name         string
		findings     []finding
		code, nagios int
		status       string
	}{
		{"ok", []finding{ok, away}, 0, 0, "SIGNAL-CLIENT OK - 1 ok, 0 warnings, 0 wrong, 1 skipped. | ok=1 warnings=0 wrong=0 skipped=1"},
		{"warning", []finding{ok, warning}, 0, 1, "SIGNAL-CLIENT WARNING - warning: streams SIGNALS: it lacks / something; try: nats stream edit | ok=1 warnings=1 wrong=0 skipped=0"},
		{"wrong", []finding{warning, bad}, problem.Found, 2, `SIGNAL-CLIENT CRITICAL - wrong: acme request: status 401\nmore; try: make a new token (and 1 more) | ok=0 warnings=1 wrong=1 skipped=0`},
		{"nothing", []finding{away}, 0, 3, "SIGNAL-CLIENT UNKNOWN - 0 ok, 0 warnings, 0 wrong, 1 skipped. | ok=0 warnings=0 wrong=0 skipped=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReport(c.findings)
			print := func(format string) (string, int) {
				var b bytes.Buffer
				code := 0
				if err := r.print(term.Screen{Writer: &b}, format); err != nil {
					exit, ok := errors.AsType[problem.ExitCode](err)
					if !ok {
						t.Fatal(err)
					}
					code = int(exit)
				}
				return b.String(), code
			}
			out, code := print(formatNagios)
			if status, _, _ := strings.Cut(out, "\n"); status != c.status || code != c.nagios {
				t.Errorf("nagios: code %d\n got %s\nwant %s", code, status, c.status)
			}
			for _, format := range []string{formatText, formatJSON, formatPrometheus} {
				out, code := print(format)
				if code != c.code || out == "" {
					t.Errorf("%s: code %d, want %d\n%s", format, code, c.code, out)
				}
				if format == formatJSON {
					if err := schemas.Validate("doctor", []byte(out)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// Of many orgs, those in good order are only counted.
func TestCheckupOfManyOrgs(t *testing.T) {
	var findings []finding
	for n := range mostShown + 5 {
		f := finding{Group: groupInstance, Instance: fmt.Sprintf("org-%d", n), Check: "request", Result: outcomeOK, Found: "works"}
		if n == 7 {
			f.Result = outcomeWrong
		}
		findings = append(findings, f)
	}
	var b bytes.Buffer
	_ = newReport(findings).print(term.Screen{Writer: &b}, formatText)
	if want := "Org org-7\n  wrong    request  works\n24 orgs more, all ok\n\n24 ok, 0 warnings, 1 wrong, 0 skipped.\n"; b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// An org's certificate chain is judged by the days that it has left, and by who signed
// it.
func TestDoctorLooksAtTLS(t *testing.T) {
	for _, c := range []struct {
		left    time.Duration
		trusted bool
		want    outcome
		found   string
	}{
		{90 * 24 * time.Hour, true, outcomeOK, "89 days left"},
		{13 * 24 * time.Hour, true, outcomeWarning, "12 days left"},
		{30 * time.Hour, true, outcomeWrong, "1 day left"},
		{-time.Hour, true, outcomeWrong, "expired"},
		{90 * 24 * time.Hour, false, outcomeWrong, "unknown authority"},
	} {
		pool := x509.NewCertPool()
		cert := certificate(t, c.left)
		if c.trusted {
			pool.AddCert(cert.Leaf)
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
		server.StartTLS()
		var d observation
		client := source.NewHTTPClient()
		client.Transport.(*http.Transport).TLSClientConfig.RootCAs = pool
		d.tls(t.Context(), server.URL, client)
		server.Close()
		if f := d.finding(groupInstance, "", "tls"); f.Result != c.want || !strings.Contains(f.Found, c.found) {
			t.Errorf("%v left, trusted %v: %+v", c.left, c.trusted, f)
		}
	}
}

func certificate(t *testing.T, left time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an org", Organization: []string{"Test"}},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(left),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// Doctor names foreign publishers on an org's subject.
func TestDoctorFindsSomebodyElse(t *testing.T) {
	server := jetstest.Config{Listen: true}.Run(t)
	conn, err := jets.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := jets.Open(t.Context(), conn, jets.Config{Kinds: kinds.All.Plain()}); err != nil {
		t.Fatal(err)
	}
	s := &surroundings{conn: conn}
	judge := func() finding {
		var d observation
		s.somebodyElse(t.Context(), org{kind: kinds.Default, instance: "acme"}, &d)
		return d.finding(groupInstance, "acme", "progress")
	}
	if f := judge(); f.Result != outcomeOK {
		t.Errorf("nobody: %+v", f)
	}
	if _, err := conn.JS.Publish(t.Context(), jets.SubjectEvents(kinds.Default.Name, "acme"), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if f := judge(); f.Result != outcomeWarning || !strings.Contains(f.Found, "signals.okta.acme") {
		t.Errorf("somebody: %+v", f)
	}
}

// Doctor warns when the streams of two sites take what one of them publishes.
func TestDoctorFindsAnotherSite(t *testing.T) {
	port, err := jetstest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	hub := jetstest.Config{Domain: "hub", LeafPort: port, Listen: true}.Run(t)
	leaf := jetstest.Config{Domain: "leaf", LeafOf: fmt.Sprintf("nats://127.0.0.1:%d", port), Listen: true}.Run(t)
	for _, server := range []*jetstest.Server{hub, leaf} {
		conn, err := jets.Connect(t.Context(), server.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := jets.Open(t.Context(), conn, jets.Config{Kinds: kinds.All.Plain()}); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // until the line stands
		d := &doctor{doctorFlags: doctorFlags{timeout: clitest.Patience}, nats: config.NATS{URL: leaf.URL()}}
		s := d.look(t.Context())
		var g observation
		s.otherSites(t.Context(), &g)
		s.close()
		if f := g.finding(groupStreams, "", jets.StreamSignals); f.Result == outcomeWarning && strings.Contains(f.Found, "another site receives them") {
			return
		}
	}
	t.Error("no warning")
}

func TestDoctorJudges(t *testing.T) {
	now := time.Now()
	good := http.Header{"Date": {now.UTC().Format(http.TimeFormat)}, "Link": {`<https://a/api/v1/logs>; rel="self"`}, "X-Okta-Request-Id": {"r"}}
	without := func(name string) http.Header { h := good.Clone(); h.Del(name); return h }
	late := good.Clone()
	late.Set("Date", now.Add(-10*time.Minute).UTC().Format(http.TimeFormat))
	worked := orgs.ProbeResult{Verdict: orgs.VerdictWorks, RateLimit: &pipeline.RateLimit{Limit: 60, Remaining: 50}, Newest: new(orgs.NewestEvent)}
	unlimited := worked
	unlimited.RateLimit = nil
	headers := func(h http.Header, t orgs.ProbeResult) func(*observation) {
		return func(d *observation) { d.headers(pipeline.Integration{}, t, &witness{header: h, at: now}) }
	}
	copies := func(config int, c jetstream.ClusterInfo) func(*observation) {
		return func(d *observation) { d.copies(jetstream.StreamConfig{Replicas: config}, &c) }
	}
	for _, c := range []struct {
		judge func(*observation)
		want  outcome
		found string
	}{
		{func(d *observation) { d.skew("its", time.Second, 0) }, outcomeOK, "ahead"},
		{func(d *observation) { d.skew("its", time.Millisecond, time.Second) }, outcomeOK, "agree"},
		{func(d *observation) { d.skew("its", -10*time.Second, 0) }, outcomeWarning, "10 s behind"},
		{func(d *observation) { d.skew("its", 10*time.Second, 9*time.Second) }, outcomeOK, "ahead"},
		{func(d *observation) { d.skew("its", time.Hour, 0) }, outcomeWrong, "60 min ahead"},
		{func(d *observation) { d.usage("room", 5<<30, 0) }, outcomeOK, "5.0 GiB in use, no limit"},
		{func(d *observation) { d.usage("room", 50, 100) }, outcomeOK, "50 %"},
		{func(d *observation) { d.usage("room", 90, 100) }, outcomeWarning, "90 %"},
		{func(d *observation) { d.usage("room", 99, 100) }, outcomeWrong, "99 %"},
		{headers(good, worked), outcomeOK, "50 of 60 requests left"},
		{headers(good, unlimited), outcomeWarning, "no X-Rate-Limit"},
		{headers(without("Date"), worked), outcomeWarning, "no Date"},
		{headers(without("Link"), worked), outcomeWrong, "no Link"},
		{headers(without("X-Okta-Request-Id"), worked), outcomeWarning, "may not be Okta"},
		{headers(late, worked), outcomeWrong, "behind"},
		{headers(nil, worked), outcomeSkipped, "no answer"},
		{copies(1, jetstream.ClusterInfo{}), outcomeOK, "1 copy"},
		{copies(1, jetstream.ClusterInfo{Name: "c", Leader: "n1"}), outcomeWarning, "one copy, on n1"},
		{copies(3, jetstream.ClusterInfo{Name: "c"}), outcomeWrong, "no leader"},
		{copies(3, jetstream.ClusterInfo{Name: "c", Leader: "n1", Replicas: []*jetstream.PeerInfo{{Name: "n2", Current: true}}}), outcomeOK, "3 copies, led by n1"},
		{copies(3, jetstream.ClusterInfo{Name: "c", Leader: "n1", Replicas: []*jetstream.PeerInfo{{Name: "n2", Offline: true}}}), outcomeWarning, "n2 is offline"},
		{copies(3, jetstream.ClusterInfo{Name: "c", Leader: "n1", Replicas: []*jetstream.PeerInfo{{Name: "n2", Current: true, Lag: 5000}}}), outcomeWarning, "5,000 operations behind"},
		{func(d *observation) { d.tls(t.Context(), "http://127.0.0.1:1", nil) }, outcomeOK, "plain http"},
		{func(d *observation) { d.dns(t.Context(), "http://127.0.0.1:1", source.NewHTTPClient()) }, outcomeOK, "is an address"},
		{func(d *observation) { d.request(orgs.ProbeResult{Verdict: orgs.VerdictThrottled}) }, outcomeWarning, orgs.VerdictThrottled},
	} {
		var d observation
		c.judge(&d)
		if f := d.finding(groupNATS, "", "it"); f.Result != c.want || !strings.Contains(f.Found, c.found) {
			t.Errorf("got %+v, want %s with %q", f, c.want, c.found)
		}
	}
}

// A session that is neither renewed nor expired shows that NATS stores nothing.
func TestDoctorJudgesSessions(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		renewed, skew time.Duration
		want          outcome
	}{
		{-3 * time.Second, 0, outcomeOK},
		{-19 * time.Second, 0, outcomeOK}, // expiry is late after a change of leader
		{-21 * time.Second, 0, outcomeWrong},
		{-time.Hour, -time.Hour, outcomeOK}, // the server's clock
		{time.Hour - 21*time.Second, time.Hour, outcomeWrong},
	} {
		s := &surroundings{now: now, streams: []jets.Inspection{{Name: jets.BucketLocks, Info: new(jetstream.StreamInfo), Skew: c.skew}}}
		s.replicas.Sessions = map[string]locks.Session{"one": {ID: "1", TTL: 10 * time.Second, RenewedAt: now.Add(c.renewed)}}
		var d observation
		s.replicasFound(&d)
		if f := d.finding(groupFleet, "", "replicas"); f.Result != c.want {
			t.Errorf("renewed %v ago: %+v", -c.renewed, f)
		}
	}
}

// How far an org must be complete depends on its own interval.
func TestDoctorJudgesProgress(t *testing.T) {
	now := time.Now()
	s := &surroundings{doctor: &doctor{}, now: now, conn: new(jets.Conn)}
	stored := org{kind: kinds.Default, instance: "acme", stored: true, entry: pipeline.Entry{Integration: pipeline.Integration{Kind: kinds.Default, Enabled: true, PollInterval: time.Minute}}}
	for _, c := range []struct {
		state pipeline.State
		lag   time.Duration
		want  outcome
	}{
		{pipeline.StatePolling, time.Minute, outcomeOK},
		{pipeline.StatePolling, 14 * time.Minute, outcomeWrong},
		{pipeline.StateCatchingUp, time.Minute, outcomeOK},
		{pipeline.StateCatchingUp, 24 * time.Hour, outcomeWarning},
		{pipeline.StateRetrying, time.Minute, outcomeWarning},
		{pipeline.StateRefused, time.Minute, outcomeWrong},
		{pipeline.StateUnowned, time.Minute, outcomeWrong},
	} {
		s.statuses = map[string]pipeline.Status{"acme": {State: c.state, CompleteThrough: now.Add(-c.lag), LagSeconds: c.lag.Seconds(), UpdatedAt: now}}
		var d observation
		s.progress(stored, &d)
		if f := d.finding(groupInstance, "acme", "progress"); f.Result != c.want {
			t.Errorf("%s, %v behind: %+v", c.state, c.lag, f)
		}
	}
}

// The names of findings are stable, and the JSON report has all of them.
func TestCheckupJSONIsAList(t *testing.T) {
	data, err := json.Marshal(newReport([]finding{}))
	if err != nil || !strings.Contains(string(data), `"findings":[]`) {
		t.Errorf("%s %v", data, err)
	}
}
