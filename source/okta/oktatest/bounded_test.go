package oktatest

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// between is a bounded request's link.
func between(since, until time.Time, more string) string {
	return LogsPath + "?since=" + url.QueryEscape(since.Format(time.RFC3339Nano)) + "&until=" + url.QueryEscape(until.Format(time.RFC3339Nano)) + more
}

// hasNext reports whether an answer names a next link.
func hasNext(a asked) bool {
	return nextLink.MatchString(strings.Join(a.Header.Values("Link"), ", "))
}

// turn follows next links to the last page.
func turn(t *testing.T, o *Org, link string) (uuids []string) {
	t.Helper()
	for {
		a := ask(t, o, link)
		if a.err != nil || a.StatusCode != 200 {
			t.Fatalf("%v %s", a.err, a.body)
		}
		for _, e := range a.elements {
			uuids = append(uuids, uuidOf(e))
		}
		if !hasNext(a) {
			return uuids
		}
		link = next(t, a)
	}
}

func TestBoundedPagesAreInOrderOfPublicationAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 5})
		o.Generate(250, time.Hour)
		until := o.Now()
		link := between(until.Add(-2*time.Hour), until, "&limit=100")
		up, down := turn(t, o, link), turn(t, o, link+"&sortOrder=DESCENDING")
		if len(up) != 250 || len(down) != 250 {
			t.Fatalf("%d up, %d down; want 250", len(up), len(down))
		}
		published := make(map[string]time.Time)
		for _, e := range o.Events() {
			published[e.UUID] = e.Published
		}
		for i := range up {
			if up[i] != down[249-i] {
				t.Fatalf("down is not the reverse of up at %d", i)
			}
			if i > 0 && published[up[i]].Before(published[up[i-1]]) {
				t.Fatalf("published goes back at %d", i)
			}
		}
	})
}

func TestSinceIsWithinAndUntilIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{})
		at := o.Now().Add(-time.Hour).Truncate(time.Second)
		o.Add(Event{Published: at, Persisted: at}, Event{Published: at.Add(time.Second), Persisted: at.Add(time.Second)})
		if got := turn(t, o, between(at, at.Add(time.Second), "")); len(got) != 1 {
			t.Errorf("bounded: %d events, want 1", len(got))
		}
		if a := ask(t, o, LogsPath+"?since="+at.Format(time.RFC3339)); len(a.elements) != 2 {
			t.Errorf("polling: %d events, want 2", len(a.elements))
		}
	})
}

func TestABoundedRequestMissesWhatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Lag: Lag{Index: time.Minute}})
		at := o.Now().Add(-time.Hour)
		o.Add(Event{Published: at})
		window := between(at.Add(-time.Minute), at.Add(time.Minute), "")
		if got := turn(t, o, window); len(got) != 0 {
			t.Errorf("%d events, want none", len(got))
		}
		if a := ask(t, o, LogsPath); len(a.elements) != 1 {
			t.Error("polling misses it too")
		}
		time.Sleep(time.Minute)
		if got := turn(t, o, window); len(got) != 1 {
			t.Errorf("%d events later, want 1", len(got))
		}
	})
}

func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{})
		day := 24 * time.Hour
		for _, age := range []time.Duration{100 * day, 80 * day, 5 * day} {
			at := o.Now().Add(-age)
			o.Add(Event{Published: at, Persisted: at})
		}
		since := func(age time.Duration) string {
			return LogsPath + "?since=" + o.Now().Add(-age).Format(time.RFC3339)
		}
		for _, c := range []struct {
			link string
			want int
		}{{LogsPath, 1}, {since(90 * day), 2}, {since(170 * day), 2}} {
			if a := ask(t, o, c.link); len(a.elements) != c.want {
				t.Errorf("%s: %d events, want %d", c.link, len(a.elements), c.want)
			}
		}
		refusal(t, ask(t, o, since(181*day)), 400, "E0000053", "180 days")
	})
}

func TestDescendingWithoutUntilIsASnapshot(t *testing.T) {
	o := New(Config{Seed: 5})
	o.Generate(30, time.Hour)
	a := ask(t, o, LogsPath+"?sortOrder=DESCENDING&limit=10")
	if len(a.elements) != 10 || hasNext(a) {
		t.Errorf("%d events, next: %v; want 10 and none", len(a.elements), hasNext(a))
	}
}
