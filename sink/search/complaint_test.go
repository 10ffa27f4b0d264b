package search

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
)

// refusal returns what VictoriaLogs answers to a query; empty: it takes it.
func refusal(typed string) string {
	if _, err := logstorage.ParseQuery(Query(typed)); err != nil {
		return fmt.Sprintf("cannot parse `query` arg [%s]: %s\n", Query(typed), err)
	}
	return ""
}

// In each query a ^ stands before the place that is wrong.
func TestComplaint(t *testing.T) {
	for marked, text := range map[string]string{
		`eventType:^`:                             `unexpected end of query after ":"; expecting a filter`,
		`eventType:(a^`:                           `missing ')'; got ""`,
		`(eventType:x^`:                           `missing ')'; got ""`,
		`eventType:x^)`:                           `unexpected unparsed tail after [eventType:x]`,
		`eventType:x | ^bogus`:                    `unexpected pipe name "bogus"`,
		`eventType:x | ^bogus | limit 5`:          `unexpected pipe name "bogus"`,
		`eventType:x | stats^`:                    `unknown stats func ""`,
		`eventType:x | stats ^countt() n`:         `unknown stats func "countt"`,
		`eventType:x | stats by (a^`:              `expecting ',' or ')'`,
		`eventType:x | sort by (_time ^dsc) desc`: `unexpected token: "dsc"`,
		`eventType:x |^`:                          `missing query`,
		`^| fields x`:                             `missing query`,
		`^"alice`:                                 `compound token cannot start with "\""`,
		`eventType:x ^"alice`:                     `compound token cannot start with "\""`,
		`eventType:in(a^`:                         `missing ',' after "a"`,
		`_time:^bogus eventType:x`:                `cannot parse duration "bogus"`,
		`eventType:x^"y" z`:                       `missing whitespace or ':' between "x" and "y"`,
		`alice and^`:                              `unexpected end of query after "and"`,
		`alice AND (bob OR^`:                      `unexpected end of query after "OR"`,
		`alice@example.com AND (bob OR^`:          `unexpected end of query after "OR"`,
		`Müller@exämple.com eventType:x | ^bogus`: `unexpected pipe name "bogus"`,
		`a\b\c eventType:x | ^bogus`:              `unexpected pipe name "bogus"`,
		`alice ^= b`:                              `missing ':' in front of "="`,
		`{instance="x"^`:                          `unexpected token "" in _stream filter`,
		`a:b | limit ^x`:                          `cannot parse rows limit from "x"`,
		`a:b | filter x^@y`:                       `missing whitespace or ':' between "x" and "@"`,
		`actor.alternateId:alice@example.com AND outcome.result:(FAILURE^`: `missing ')'; got ""`,
		strings.Repeat(`alice@example.com or `, 20) + `a:b | ^bogus`:       `unexpected pipe name "bogus"`,
	} {
		typed, at := strings.Replace(marked, "^", "", 1), utf8.RuneCountInString(marked[:strings.IndexByte(marked, '^')])
		e := Complaint(typed, []byte(refusal(typed)))
		if e.Query != typed || e.Offset != at || !strings.Contains(e.Text, text) || strings.Contains(e.Text, "context: [") || strings.Contains(e.Text, "`query` arg") {
			t.Errorf("%s: offset %d, want %d; %s", typed, e.Offset, at, e.Text)
		}
	}
}

func TestComplaintWithoutAPlace(t *testing.T) {
	if e := Complaint("a:b", []byte("the `query` arg is bad\n")); e.Offset != 0 || e.Text != "the `query` arg is bad" {
		t.Errorf("%+v", e)
	}
	// The place is in pipes that a page added to the query.
	if e := Complaint("a:b", []byte(refusal("a:b | bogus"))); e.Offset != 3 {
		t.Errorf("%+v", e)
	}
}

func FuzzComplaint(f *testing.F) {
	f.Add(`alice@example.com AND (`, "x; context: [ AND (]")
	f.Add(`a"`, "")
	f.Fuzz(func(t *testing.T, typed, body string) {
		for _, b := range []string{body, refusal(typed)} {
			if e := Complaint(typed, []byte(b)); e.Offset < 0 || e.Offset > utf8.RuneCountInString(typed) {
				t.Fatalf("%q: %+v", typed, e)
			}
		}
	})
}
