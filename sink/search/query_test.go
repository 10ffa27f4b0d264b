package search

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
)

func TestQuery(t *testing.T) {
	for _, test := range []struct{ typed, want string }{
		// What works as typed.
		{`eventType:user.session.start outcome.result:FAILURE`, ``},
		{`actor.alternateId:=alice`, ``},
		{`_msg:login`, ``},
		{`*`, ``},
		{`*:alice`, ``},
		{`debugContext.*:alice`, ``},
		{`_time:5m`, ``},
		{`_time:5m offset 1h eventType:x`, ``},
		{`_time:[2026-11-01, 2026-11-28T10:15:30Z) eventType:x`, ``},
		{`_time:day_range[08:00, 18:00) offset 1h eventType:x`, ``},
		{`_time:>=2026-11-01T10:00:00+02:00 eventType:x`, ``},
		{`{instance="acme"} eventType:x`, ``},
		{`_stream:{instance=~"a.*|(b)"} eventType:x`, ``},
		{`eventType:in(user.session.start, "user.session.end")`, ``},
		{`(eventType:a OR eventType:b) and !outcome.result:SUCCESS`, ``},
		{`eventType:(a or b* or !"c d")`, ``},
		{`actor.id:in(eventType:user.session.start | fields actor.id)`, ``},
		{`eventType:~"user\\.session.*"`, ``},
		{`securityContext.asNumber:range[1, 100)`, ``},
		{`client.ipAddress:ipv4_range(10.0.0.0/8)`, ``},
		{`client.ipAddress:2001:db8::1`, ``},
		{`debugContext.debugData.requestUri:/login/login.htm`, ``},
		{`"actor.id":x 'actor.type':"User" ` + "`outcome.result`:y", ``},
		{`eventType:* | stats by (eventType) count() as n | sort by (n desc)`, ``},
		{`eventType:x # a comment`, ``},
		{`options(concurrency=2) eventType:x`, ``},
		{`eventType:x;`, ``},
		{`eventType : x "actor.id" :y _time : 5m offset 1h`, ``},
		{`target.alternateId:json_array_contains_any("a@x")`, ``},
		{`not eventType:x -eventType:y`, ``},
		{`seq:>100 seq:<=200`, ``},

		// Words without a field.
		{`alice`, `*:alice`},
		{`alice@example.com`, `*:"alice@example.com"`},
		{`alice@example.com;`, `*:"alice@example.com";`},
		{`"Jane Doe"`, `*:"Jane Doe"`},
		{`ali*`, `*:ali*`},
		{`alice@*`, `*:"alice@"*`},
		{`*lic*`, `*:*lic*`},
		{`*@example*`, `*:*"@example"*`},
		{`"Jane D"*`, `*:"Jane D"*`},
		{`203.0.113.7`, `*:203.0.113.7`},
		{`2001:db8::1`, `*:2001:db8::1`},
		{`2001:db8::/32`, `*:2001:db8::/32`},
		{`203.0.113.7:443`, `*:203.0.113.7:443`},
		{`10:15:30`, `*:10:15:30`},
		{`2026-11-28T10:15:30.000Z`, `*:2026-11-28T10:15:30.000Z`},
		{`https://acme.okta.com/login?x=1&y=%20`, `*:"https://acme.okta.com/login?x=1&y=%20"`},
		{`00:1a:2b:3c:4d:5e`, `*:00:1a:2b:3c:4d:5e`},
		{`alice and not bob or (carol !dave)`, `*:alice and not *:bob or (*:carol !*:dave)`},
		{`alice outcome.result:FAILURE | limit 5`, `*:alice outcome.result:FAILURE | limit 5`},
		{`john#EXT#@corp.example`, `*:"john#EXT#@corp.example"`},
		{`O'Brien`, `*:"O'Brien"`},
		{`'Jane Doe'`, `*:'Jane Doe'`},
		{`a\b`, `*:"a\\b"`},
		{`a=b,c`, `*:"a=b,c"`},
		{`/`, `*:"/"`},
		{`Müller`, `*:Müller`},
		{`_time:5m alice`, `_time:5m *:alice`},
		{`in`, `*:"in"`},
		{`a:in`, `a:"in"`},
		{"alice # not bob\ncarol", "*:alice # not bob\n*:carol"},
		{`actor.id:in(alice | fields actor.id)`, `actor.id:in(*:alice | fields actor.id)`},

		// Values that LogsQL refuses.
		{`actor.alternateId:alice@example.com`, `actor.alternateId:"alice@example.com"`},
		{`actor.alternateId:=alice@example.com`, `actor.alternateId:="alice@example.com"`},
		{`actor.alternateId:!alice@example.com`, `actor.alternateId:!"alice@example.com"`},
		{`actor.alternateId:(alice@example.com OR bob@*)`, `actor.alternateId:("alice@example.com" OR "bob@"*)`},
		{`actor.alternateId:in(alice@example.com,bob@example.com)`, `actor.alternateId:in("alice@example.com","bob@example.com")`},
		{`actor.alternateId:in(actor.alternateId:alice@example.com | fields actor.id)`, `actor.alternateId:in(actor.alternateId:"alice@example.com" | fields actor.id)`},
		{`actor.alternateId:i(Alice@example.com)`, `actor.alternateId:i("Alice@example.com")`},
		{`debugContext.debugData.url:/login?x=1`, `debugContext.debugData.url:"/login?x=1"`},
		{`eventType:~user.*start`, `eventType:~"user.*start"`},
		{``, `*`},
		{"  \n", `*`},
	} {
		want := test.want
		if want == "" {
			want = test.typed
		}
		if got := Query(test.typed); got != want {
			t.Errorf("%s: %s, want %s", test.typed, got, want)
		}
		if _, err := logstorage.ParseQuery(want); err != nil {
			t.Errorf("VictoriaLogs refuses %s: %v", want, err)
		}
	}
}

func TestPipes(t *testing.T) {
	for typed, want := range map[string]string{
		``:                             "*\n| limit 5",
		`alice`:                        "*:alice\n| limit 5",
		`eventType:x; `:                "eventType:x\n| limit 5",
		`eventType:x # all | of them`:  "eventType:x # all | of them\n| limit 5",
		`a:in(b:c | fields a)`:         "a:in(b:c | fields a)\n| limit 5",
		`a:"|"`:                        "a:\"|\"\n| limit 5",
		`a:b | stats count()`:          "",
		`(alice or bob) | fields _msg`: "",
	} {
		if got := Piped(typed); got != (want == "") {
			t.Errorf("%s: piped %v", typed, got)
		}
		text := Query(WithPipe(typed, "limit 5"))
		if _, err := logstorage.ParseQuery(text); err != nil || want != "" && text != want {
			t.Errorf("%s: %q, %v", typed, text, err)
		}
	}
}

// What is no query stays as it was typed, for VictoriaLogs to complain of.
func TestQueryThatIsNone(t *testing.T) {
	for _, typed := range []string{`eventType:`, `eventType:(a`, `eventType:x | bogus`, `"alice`, `eventType:x)`, `eventType:in(a`, `| fields x`, `eventType:re("[")`, `_time:bogus`, `eventType:x"y"`, `*a`} {
		got := Query(typed)
		if strings.ReplaceAll(got, "*:", "") != strings.ReplaceAll(typed, "*:", "") {
			t.Errorf("%s: %s", typed, got)
		}
		if _, err := logstorage.ParseQuery(got); err == nil {
			t.Errorf("VictoriaLogs takes %s", got)
		}
	}
}

// FuzzQuery holds Query to its promises: what VictoriaLogs reads stays readable and means
// the same but for words without a field.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{`alice@example.com`, `eventType:(a or b*) | stats count()`, `a:in(b | fields c)`, `_time:[1,2) offset 3h x`, `"a":'b' {c="d"}`, `!-a:>=1`, `*:*x*`, `#`, `a:range(1,2]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got := Query(typed)
		if again := Query(got); again != got {
			t.Fatalf("%q: %q, and again: %q", typed, got, again)
		}
		if got == typed {
			return
		}
		before, err := logstorage.ParseQuery(typed)
		if err != nil || strings.ContainsAny(typed, "#'\\\"`") || inner.MatchString(typed) || slices.ContainsFunc(strings.FieldsFunc(typed, notWord), isValue) {
			return
		}
		after, err := logstorage.ParseQuery(got)
		if err != nil {
			t.Fatalf("VictoriaLogs reads %q, but not %q: %v", typed, got, err)
		}
		if plain(before) != plain(after) {
			t.Fatalf("%q is %s, %q is %s", typed, before, got, after)
		}
	})
}

// inner matches a word with a character that is part of it to a user, but not to LogsQL.
var inner = regexp.MustCompile(`[^\s(][!={;]`)

func notWord(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("()!,|", r) }

func plain(q *logstorage.Query) string { return strings.ReplaceAll(q.String(), "*:", "") }
