package oktatest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// refusal demands that an answer is an error of a status and code.
func refusal(t *testing.T, a asked, status int, code, naming string) {
	t.Helper()
	if a.err != nil || a.StatusCode != status || !strings.Contains(string(a.body), `"errorCode":"`+code+`"`) {
		t.Fatalf("want %d %s, got %+v: %s", status, code, a.Response, a.body)
	}
	if !strings.Contains(string(a.body), naming) {
		t.Errorf("%s does not name %s", a.body, naming)
	}
}

func TestGarbageIsNoCursor(t *testing.T) {
	o := New(Config{Seed: 3})
	o.Generate(10, time.Hour)
	for _, after := range []string{"x", "1_", "_1", "1592620709654_1", "9999999999999999999999_1", "0d0e7c9e-2b1f-4e5c-8a49-0123456789ab", "1_-1"} {
		refusal(t, ask(t, o, LogsPath+"?after="+after), 400, "E0000001", "'after'")
	}
}

func TestACursorSurvivesWhatIsPutBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 3})
		o.Generate(10, time.Hour)
		link := next(t, ask(t, o, LogsPath+"?limit=5"))
		fifth := o.Events()[4]
		o.Add(Event{Persisted: fifth.Persisted.Add(-time.Millisecond)}) // behind: only a new query finds it
		o.Add(Event{Persisted: fifth.Persisted.Add(time.Millisecond)})
		if a := ask(t, o, strings.Replace(link, "limit=5", "limit=50", 1)); len(a.elements) != 6 {
			t.Errorf("%d events after the cursor, want 6", len(a.elements))
		}
		if a := ask(t, o, LogsPath); len(a.elements) != 12 {
			t.Errorf("a new query finds %d, want 12", len(a.elements))
		}
	})
}

func TestAnEventVisibleLateIsBehindTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 3})
		now := o.Now()
		o.Add(Event{Visible: now.Add(time.Minute)}, Event{})
		a := ask(t, o, LogsPath)
		link := next(t, a)
		time.Sleep(2 * time.Minute)
		if again := ask(t, o, link); len(a.elements) != 1 || len(again.elements) != 0 {
			t.Errorf("%d, then %d events; want 1 and 0", len(a.elements), len(again.elements))
		}
		if a := ask(t, o, LogsPath); len(a.elements) != 2 {
			t.Errorf("a new query finds %d, want 2", len(a.elements))
		}
	})
}

func TestCursorsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 3})
		o.Generate(10, time.Hour)
		link := next(t, ask(t, o, LogsPath+"?limit=5"))
		o.ExpireCursors()
		refusal(t, ask(t, o, link), 400, "E0000001", "'after'")
		link = next(t, ask(t, o, LogsPath+"?limit=5"))
		if a := ask(t, o, link); len(a.elements) != 5 {
			t.Error("a cursor handed out since is refused")
		}
		o.RefuseCursors(2)
		for range 2 {
			refusal(t, ask(t, o, link), 400, "E0000001", "'after'")
		}
		if a := ask(t, o, link); len(a.elements) != 5 {
			t.Error("the third request is refused as well")
		}
		o.ExpireCursorsBefore(o.Now())
		refusal(t, ask(t, o, link), 400, "E0000001", "'after'")
	})
}
