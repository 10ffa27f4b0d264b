package oktatest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var nextLink = regexp.MustCompile(`<([^>]*)>[^<]*(?i:rel)="?next"?`)

// next is the next link of an answer.
func next(t *testing.T, a asked) string {
	t.Helper()
	m := nextLink.FindStringSubmatch(strings.Join(a.Header.Values("Link"), ", "))
	if m == nil {
		t.Fatalf("no next link in %q", a.Header.Values("Link"))
	}
	return m[1]
}

// forms are link forms that differ in one thing each, and all at once.
var forms = map[string]Links{
	"documented": {}, "joined": {Joined: true}, "next first": {NextFirst: true}, "lower case": {Lower: true},
	"commas": {Commas: true}, "bare": {Bare: true}, "extra": {Extra: true}, "relative": {Relative: true},
	"after only": {Params: ParamsAfter}, "everything kept": {Params: ParamsAll},
	"advanced when empty": {Empty: EmptyAdvanced}, "varied": {Vary: true}, "varied and relative": {Vary: true, Relative: true},
	"all": {Joined: true, NextFirst: true, Lower: true, Commas: true, Bare: true, Extra: true, Params: ParamsAll, Empty: EmptyAdvanced},
}

func TestEveryLinkFormLeadsThroughTheLog(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := New(Config{Seed: 7, Links: form, Rate: Rate{PerMinute: -1}})
				o.Generate(100, time.Hour)
				link := LogsPath + "?limit=30&sortOrder=ASCENDING"
				seen := make(map[string]bool)
				for len(seen) < 130 {
					a := ask(t, o, link)
					for _, e := range a.elements {
						if uuid := uuidOf(e); seen[uuid] {
							t.Fatalf("%s is served twice", uuid)
						} else {
							seen[uuid] = true
						}
					}
					if len(a.elements) > 0 || hasNext(a) {
						link = next(t, a)
					}
					if len(a.elements) == 0 {
						time.Sleep(time.Second)
						o.Add(make([]Event, 10)...)
					}
				}
			})
		})
	}
}

func TestFormsOnTheWire(t *testing.T) {
	links := func(l Links) []string {
		h := make(http.Header)
		l.write(h, "https://a.example/?x", "https://a.example/?y")
		return append(h["Link"], h[strings.ToLower("Link")]...)
	}
	for _, c := range []struct {
		links Links
		want  []string
	}{
		{Links{}, []string{`<https://a.example/?x>; rel="self"`, `<https://a.example/?y>; rel="next"`}},
		{Links{Joined: true, NextFirst: true}, []string{`<https://a.example/?y>; rel="next",<https://a.example/?x>; rel="self"`}},
		{Links{Lower: true, Bare: true}, []string{`<https://a.example/?x>;REL=self`, `<https://a.example/?y>;REL=next`}},
	} {
		if got := links(c.links); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q", c.links, got)
		}
	}
}

func TestWhatANextLinkCarries(t *testing.T) {
	for params, want := range map[Params]string{
		ParamsLimit: "limit=5&filter=severity+pr&after=",
		ParamsAfter: "filter=severity+pr&after=",
		ParamsAll:   "since=2000-01-01&limit=5&sortOrder=ASCENDING&filter=severity+pr&after=",
	} {
		synctest.Test(t, func(t *testing.T) {
			o := New(Config{Links: Links{Params: params}, Origin: "https://tidewater.okta.example"})
			o.Add(Event{})
			got := next(t, ask(t, o, LogsPath+"?since=2000-01-01&limit=5&filter=severity+pr"))
			if !strings.HasPrefix(got, "https://tidewater.okta.example"+LogsPath+"?"+want) {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestAnEmptyPageMayNameNoNext(t *testing.T) {
	o := New(Config{Links: Links{Empty: EmptyNone}})
	if a := ask(t, o, LogsPath); len(a.elements) != 0 || hasNext(a) || len(a.Header.Values("Link")) != 1 {
		t.Errorf("%q", a.Header.Values("Link"))
	}
}

func TestHostileLinks(t *testing.T) {
	for bend, want := range map[Next]string{
		NextOtherHost: "https://" + NextHost + LogsPath + "?limit=5&after=",
		NextUserInfo:  "https://okta:okta@tidewater.okta.example" + LogsPath + "?limit=5&after=",
		NextOtherPath: "https://tidewater.okta.example/api/v1/users?limit=5&after=",
		NextSelf:      "https://tidewater.okta.example" + LogsPath + "?limit=5",
	} {
		o := New(Config{})
		o.Generate(10, time.Hour)
		o.SetFault(func(Request) Fault { return Fault{Next: bend} })
		a := ask(t, o, LogsPath+"?limit=5")
		if got := next(t, a); len(a.elements) != 5 || !strings.HasPrefix(got, want) {
			t.Errorf("%d: %s", bend, got)
		}
	}
}
