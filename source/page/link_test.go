package page

import (
	"strings"
	"testing"
)

// nextOf returns the target of the first link whose relation is next.
func nextOf(values ...string) string {
	for target, rel := range Links(values) {
		if HasRel(rel, "next") {
			return target
		}
	}
	return ""
}

func TestLinks(t *testing.T) {
	const want = "https://acme.okta.com/api/v1/logs?limit=20&after=1627500044869_1"
	const next = "<" + want + ">"
	const self = `<https://acme.okta.com/api/v1/logs?limit=20>; rel="self"`
	for _, test := range []struct {
		name   string
		values []string
		want   string
	}{
		{"two headers", []string{self, next + `; rel="next"`}, want},
		{"next first", []string{next + `; rel="next"`, self}, want},
		{"joined", []string{self + `,` + next + `; rel="next"`}, want},
		{"joined, next first", []string{next + `; rel="next" , ` + self}, want},
		{"bare rel", []string{next + `;rel=next`}, want},
		{"upper case", []string{next + `; REL="Next"`}, want},
		{"several relations", []string{next + `; rel="prefetch  next"`}, want},
		{"more parameters", []string{next + `; title="a, b; rel=\"self\""; type=text/html; rel=next; hreflang`}, want},
		{"space round the equals sign", []string{next + ` ; rel = "next" `}, want},
		{"the first rel counts", []string{next + `; rel=self; rel=next`}, ""},
		{"rel in a title", []string{next + `; title="rel=next"`}, ""},
		{"no links", nil, ""},
		{"empty", []string{"", " , ,"}, ""},
		{"self alone", []string{self}, ""},
		{"nextish", []string{next + `; rel="nextpage"`}, ""},
		{"comma and semicolon within", []string{self + `, </logs?filter=a,b;c>; rel="next"`}, "/logs?filter=a,b;c"},
		{"verbatim", []string{`</logs?filter=severity+ge+%22INFO%22%26&x=%zz&after=a%2Fb>; rel="next"`}, "/logs?filter=severity+ge+%22INFO%22%26&x=%zz&after=a%2Fb"},
		{"behind a fault", []string{`<https://acme.okta.com`, next + `;;rel=next`}, want},
		{"rubbish between", []string{self + ` rubbish, ` + next + `; rel=next`}, want},
		{"unfinished quote", []string{next + `; rel="next`}, want},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := nextOf(test.values...); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// A well-formed link is found whatever follows it.
func FuzzLinks(f *testing.F) {
	for _, seed := range []string{
		`<https://acme.okta.com/api/v1/logs?limit=20>; rel="self",<https://acme.okta.com/api/v1/logs?after=1>; rel="next"`,
		`</api/v1/logs?a=b,c;d>;rel=next;title="x\"y"`,
		`<//evil/api/v1/logs>; rel=next`, `<>;rel=next`, `<`, `"`, `<a>;;;`, `<a>;rel="`, `<@x>;rel=next`, `<a>; rel="\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if got := nextOf(`</logs?after=7>; rel="next",` + value); got != "/logs?after=7" {
			t.Fatalf("before %q: %q", value, got)
		}
		// What is malformed hides no link of another header.
		if got := nextOf(value, `</logs?after=7>; rel="next"`); got != "/logs?after=7" && !strings.Contains(strings.ToLower(value), "next") {
			t.Fatalf("behind %q: %q", value, got)
		}
	})
}
