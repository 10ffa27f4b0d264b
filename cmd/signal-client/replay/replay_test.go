package replay

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// anEvent looks as those of the System Log do.
const anEvent = `{"actor":{"id":"00u1","type":"User","alternateId":"Jane.Doe@acme.com","displayName":"Jane Doe"},"client":{"ipAddress":"203.0.113.7"},
"outcome":{"result":"FAILURE","reason":"INVALID_CREDENTIALS"},"uuid":"u-1","eventType":"user.session.start","published":"2026-11-20T08:00:00.000Z"}`

func storedEvent() *scan.Stored {
	return &scan.Stored{Kind: okta.Kind, Instance: "acme", Seq: 7, At: time.Date(2026, 11, 20, 8, 0, 30, 0, time.UTC), Data: []byte(anEvent), Header: nats.Header{
		"ce-id": {"u-1"}, "ce-type": {"com.okta.user.session.start"}, "ce-time": {"2026-11-20T08:00:00.000Z"},
	}}
}

func TestReplayPicks(t *testing.T) {
	bare := storedEvent()
	bare.Header = nats.Header{} // as a foreign client would publish it
	for _, test := range []struct {
		flags string
		want  bool
	}{
		{"", true},
		{"--type user.session.start", true},
		{"--type user.session.*", true},
		{"--type user.*", true},
		{"--type user.mfa.*,user.session.*", true},
		{"--type user.session", false},
		{"--type policy.*", false},
		{"--actor 00u1", true},
		{"--actor jane.doe@ACME.com", true},
		{"--actor *@acme.com", true},
		{"--actor jane*", true},
		{"--actor acme.com", false},
		{"--actor jan[ex].do?@*", true},
		{"--ip 203.0.113.7", true},
		{"--ip 203.0.113.0/24", true},
		{"--ip 203.0.113.9/24", true},
		{"--ip 10.0.0.0/8,203.0.113.7", true},
		{"--ip 203.0.113.8", false},
		{"--ip ::ffff:203.0.113.7", true},
		{"--ip ::ffff:203.0.113.0/120", true},
		{"--ip ::ffff:203.0.113.0/121", true},
		{"--ip ::ffff:203.0.113.8/125", false},
		{"--ip 2001:db8::/32", false},
		{"--outcome failure", true},
		{"--outcome SUCCESS,FAILURE", true},
		{"--outcome SUCCESS", false},
		{"--outcome fail*", true},
		{"--outcome *", true},
		{"--since 2026-11-20T08:00:00Z", true},
		{"--since 2026-11-20T08:00:01Z", false},
		{"--until 2026-11-20T08:00:00Z", false},
		{"--until 2026-11-20T08:00:01Z", true},
		{"--type user.* --actor jane* --ip 203.0.113.7 --outcome failure --since 2026-11-20", true},
		{"--type user.* --actor jane* --ip 203.0.113.7 --outcome success --since 2026-11-20", false},
	} {
		var p filter
		fields := strings.Fields(test.flags)
		for i := 0; i < len(fields); i += 2 {
			list := strings.Split(fields[i+1], ",")
			switch fields[i] {
			case "--type":
				p.types = list
			case "--actor":
				p.actors = list
			case "--ip":
				p.ips = list
			case "--outcome":
				p.outcomes = list
			case "--since":
				if err := p.since.Set(fields[i+1]); err != nil {
					t.Fatal(err)
				}
			case "--until":
				if err := p.until.Set(fields[i+1]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if errs := p.prepare(time.Now()); len(errs) > 0 {
			t.Fatal(errs)
		}
		for _, e := range []*scan.Stored{storedEvent(), bare} {
			if got := p.Takes(e); got != test.want {
				t.Errorf("%q: %t, want %t (headers %v)", test.flags, got, test.want, e.Header)
			}
		}
	}
}

// The body of an event is not parsed when its headers already exclude it.
func TestReplayPicksByHeadersFirst(t *testing.T) {
	p := filter{types: []string{"policy.*"}, outcomes: []string{"FAILURE"}}
	p.prepare(time.Now())
	e := storedEvent()
	e.Data = nil
	if allocs := testing.AllocsPerRun(100, func() { p.Takes(e) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// Real events pass the filters that are made of their own members, and no other events
// do.
func TestReplayPicksRealEvents(t *testing.T) {
	for _, line := range oktatest.Samples(t) {
		real := &scan.Stored{Kind: kinds.Default, Data: line, Header: nats.Header{}}
		var e struct { // as encoding/json reads a sane event
			Actor   struct{ ID, AlternateID, DisplayName string }
			Client  struct{ IPAddress string }
			Outcome struct{ Result string }
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{e.Actor.ID, e.Actor.AlternateID, e.Actor.DisplayName} {
			p := filter{types: []string{real.Type()}}
			if name != "" {
				p.actors = cli.NameList{strings.ToUpper(name)}
			}
			if _, err := network(e.Client.IPAddress); err == nil { // some are made unreadable
				p.ips = []string{e.Client.IPAddress}
			}
			if e.Outcome.Result != "" {
				p.outcomes = cli.NameList{strings.ToLower(e.Outcome.Result)}
			}
			if errs := p.prepare(time.Now()); len(errs) > 0 {
				t.Fatal(real.ID(), errs)
			}
			if !p.Takes(real) {
				t.Errorf("%s: not found by its own type, actor, address and outcome", real.ID())
			}
			if p.outcomes = (cli.NameList{"never"}); p.Takes(real) {
				t.Errorf("%s: found by another outcome", real.ID())
			}
		}
	}
}

// Each filter looks at its own member only, by its exact name: other members of any type
// exclude no event.
func TestReplayPicksOddEvents(t *testing.T) {
	const actor, client, outcome = `"actor":{"id":"00u1"}`, `"client":{"ipAddress":"203.0.113.7"}`, `"outcome":{"result":"FAILURE"}`
	odd := []string{`"text"`, `null`, `[{"id":"00u1"}]`, `7`, `true`, `{}`, `{"id":7,"ipAddress":7,"result":7}`, `{"ID":"00u2","IPAddress":"::1","Result":"SUCCESS"}`}
	filters := map[string]filter{
		actor: {actors: cli.NameList{"00u1"}}, client: {ips: []string{"203.0.113.7"}}, outcome: {outcomes: cli.NameList{"FAILURE"}},
	}
	for own, p := range filters {
		if errs := p.prepare(time.Now()); len(errs) > 0 {
			t.Fatal(errs)
		}
		name, value, _ := strings.Cut(own, ":")
		takes := func(format string, args ...any) bool {
			data := fmt.Appendf(nil, format, args...)
			if !json.Valid(data) {
				t.Fatalf("%s", data)
			}
			return p.Takes(&scan.Stored{Kind: kinds.Default, Data: data, Header: nats.Header{}})
		}
		for _, other := range odd {
			for member := range filters {
				if beside, _, _ := strings.Cut(member, ":"); beside != name && !takes(`{%s:%s,%s}`, beside, other, own) {
					t.Errorf("%s is lost beside %s:%s", own, beside, other)
				}
			}
			if !takes(`{%s,%s:%s}`, own, strings.ToUpper(name), other) || !takes(`{%s:%s,%s}`, strings.ToUpper(name), other, own) {
				t.Errorf("%s is lost beside %s:%s", own, strings.ToUpper(name), other)
			}
			if takes(`{%s:%s}`, name, other) || takes(`{%s:%s}`, strings.ToUpper(name), value) || takes(`{%s,%s:%s}`, own, name, other) {
				t.Errorf("%s: %s is found by another member than its own", own, other)
			}
		}
		for _, e := range oktatest.OddEvents(1, time.Now()) {
			if data := append([]byte("{"+own+","), e.Data[1:]...); !takes("%s", data) || takes("%s", e.Data) {
				t.Errorf("%.200s", data)
			}
		}
	}
}

// A filter may name a value with any characters.
func TestReplayPicksOddNames(t *testing.T) {
	for text, want := range map[string][]string{
		`Doe, Jane`:                 {"Doe, Jane"},
		`a,b`:                       {"a", "b"},
		`Doe, Jane,Roe, Joe`:        {"Doe, Jane", "Roe, Joe"},
		`"Doe,Jane",bob`:            {"Doe,Jane", "bob"},
		`"say ""hi""",x`:            {`say "hi"`, "x"},
		`Jane "JD" Doe`:             {`Jane "JD" Doe`},
		`"JD" Doe`:                  {`"JD" Doe`},
		`"open`:                     {`"open`},
		`Jane [Contractor]`:         {"Jane [Contractor]"},
		`[ops`:                      {"[ops"},
		`ACME\jane`:                 {`ACME\jane`},
		`*Bot*`:                     {"*Bot*"},
		`a,`:                        {"a", ""},
		`"a,b, ""c"" [d]",e, "f",g`: {`a,b, "c" [d]`, `e, "f"`, "g"},
	} {
		var list cli.NameList
		if _ = list.Set(text); !slices.Equal(list, want) {
			t.Errorf("%s: %q, want %q", text, list, want)
		}
		var again cli.NameList
		if _ = again.Set(list.String()); !slices.Equal(list, again) {
			t.Errorf("%s: again %q, want %q", list.String(), again, list)
		}
		for _, name := range want {
			if name != "" && !list.AnyOf(strings.ToUpper(name)) {
				t.Errorf("%s does not find %s", text, name)
			}
		}
	}
	if list := (cli.NameList{"ops*", "[xy]z"}); !list.AnyOf("Ops (night)") || !list.AnyOf("yz") || list.AnyOf("no", "") {
		t.Error("patterns")
	}
}

func TestReplayTempo(t *testing.T) {
	now := time.Now()
	rate := pace{rate: 10}
	for i, want := range []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond} {
		if got := rate.Wait(now.Add(time.Hour), now); got != want {
			t.Errorf("event %d at 10 a second: %v, want %v", i, got, want)
		}
	}
	rhythm := pace{speed: 10}
	first := now.Add(-24 * time.Hour)
	for _, test := range []struct{ after, want time.Duration }{
		{0, 0}, {time.Minute, 6 * time.Second}, {-time.Minute, -6 * time.Second}, {time.Hour, 6 * time.Minute},
	} {
		if got := rhythm.Wait(first.Add(test.after), now); got != test.want {
			t.Errorf("an event %v later, 10 times as fast: %v, want %v", test.after, got, test.want)
		}
	}
}

// A line has the event's own bytes, except that line breaks are spaces.
func TestReplayLines(t *testing.T) {
	var to bytes.Buffer
	l := &lines{w: &to, done: func(*scan.Stored) {}}
	for seq, data := range []string{`{"a":1}`, "{\"a\" :\r\n\t2\n}", `{"a":"` + strings.Repeat("x", 1<<18) + `"}`} {
		if err := l.Publish(t.Context(), &scan.Stored{Kind: kinds.Default, Seq: uint64(seq + 1), Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(t.Context()); err != nil || l.Waiting() != 0 {
		t.Error(err, l.Waiting())
	}
	want := `{"a":1}` + "\n" + "{\"a\" :  \t2 }\n" + `{"a":"` + strings.Repeat("x", 1<<18) + `"}` + "\n"
	if to.String() != want {
		t.Errorf("%.80q", to.String())
	}
}

// A replay continues at the first line that could not be written.
func TestReplayLinesThatFail(t *testing.T) {
	l := &lines{w: failing{}}
	for seq := range uint64(3) {
		if err := l.Publish(t.Context(), &scan.Stored{Kind: kinds.Default, Seq: seq + 10, Data: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(context.Background()); err == nil || l.Waiting() != 10 {
		t.Errorf("%v, waiting from %d", err, l.Waiting())
	}
}

// The lines that a disk took before it was full are counted exactly, and the replay
// continues after them.
func TestReplayLinesOnAFullDisk(t *testing.T) {
	for _, test := range []struct {
		room          int
		events, going uint64
		cut           bool
	}{{0, 0, 10, false}, {2, 0, 10, true}, {3, 1, 11, false}, {8, 2, 12, true}, {9, 3, 0, false}} {
		disk := &disk{room: test.room}
		run := &replayRun{replayCommand: &replayCommand{}, counts: newCounts(), progress: &replayProgress{}}
		l := &lines{w: disk, done: run.done}
		run.out = l
		for seq := range uint64(3) {
			if err := run.bringOne(t.Context(), &scan.Stored{Kind: kinds.Default, Seq: 10 + seq, Header: nats.Header{}, Data: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
		}
		err := l.Flush(t.Context())
		if got := run.counts.total.Events; got != test.events || l.Waiting() != test.going || l.cut != test.cut || (err != nil) != (test.going > 0) {
			t.Errorf("room for %d bytes: %d events, going on from %d, cut %t, %v", test.room, got, l.Waiting(), l.cut, err)
		}
		disk.room = 9
		if err := l.Flush(t.Context()); err != nil || l.Waiting() != 0 || l.cut || disk.String() != "{}\n{}\n{}\n" {
			t.Errorf("room for %d bytes, and then for all: %q, going on from %d, cut %t, %v", test.room, disk, l.Waiting(), l.cut, err)
		}
	}
}

// disk accepts a limited number of bytes.
type disk struct {
	bytes.Buffer
	room int
}

func (d *disk) Write(b []byte) (int, error) {
	if left := d.room - d.Len(); len(b) > left {
		n, _ := d.Buffer.Write(b[:left])
		return n, syscall.ENOSPC
	}
	return d.Buffer.Write(b)
}

// A slash in a name is a character like any other.
func TestReplayPicksNamesWithSlashes(t *testing.T) {
	list := cli.NameList{"*bot", "a?b"}
	for name, want := range map[string]bool{"CI/CD Bot": true, "a/b": true, "CI/CD": false} {
		if got := list.AnyOf(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, fmt.Errorf("full") }

func TestReplayAgain(t *testing.T) {
	p := &cli.Program{}
	r := &replayCommand{CommandContext: cli.CommandContext{Program: p}}
	cmd := New(p)
	r.cmd = cmd
	err := cmd.ParseFlags([]string{"--instance", "acme-*,b", "--since=24h", "--limit=100", "--from-seq=5", "--speed=10x", "--to=again.{instance}"})
	if err != nil {
		t.Fatal(err)
	}
	r.to, r.id, r.limit = "again.{instance}", "try it's", 100
	r.filter.from = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	run := &replayRun{replayCommand: r, counts: newCounts(), next: 42, through: 99}
	run.counts.Add(storedEvent(), time.Now())
	want := `replay --instance 'acme-*,b' --since 2026-11-20T08:00:00Z --speed 10x --to 'again.{instance}' --id 'try it'\''s' --limit 99 --from-seq 42 --to-seq 99`
	if got, besides := run.again(); got != want || besides != "" {
		t.Errorf("\n%s%s, want\n%s", got, besides, want)
	}
}

// The command that continues a replay shows no user, password or token of a URL. It says
// that the URL has to be given again.
func TestReplayAgainWithoutCredentials(t *testing.T) {
	for url, shown := range map[string]bool{
		"nats://nats.acme.com:4222":                       true,
		"nats://jane:s3cret@nats.acme.com":                false,
		"nats.acme.com,s3cret@other.acme.com":             false,
		"tls://s3cret@a.acme.com,tls://s3cret@b.acme.com": false,
	} {
		p := &cli.Program{}
		cmd := New(p)
		if err := cmd.ParseFlags([]string{"--nats-url", url, "--nats-creds", "a file"}); err != nil {
			t.Fatal(err)
		}
		run := &replayRun{replayCommand: &replayCommand{CommandContext: cli.CommandContext{Program: p}, cmd: cmd}, counts: newCounts(), next: 42, through: 99}
		command, besides := run.again()
		if strings.Contains(command, url) != shown || strings.Contains(command+besides, "s3cret") || strings.Contains(besides, "--nats-url") == shown ||
			!strings.Contains(command, "--nats-creds 'a file'") {
			t.Errorf("%s: %s%s", url, command, besides)
		}
	}
}
