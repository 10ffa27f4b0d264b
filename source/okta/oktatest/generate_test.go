package oktatest

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func generated(seed uint64, n int, over time.Duration) []Event {
	o := New(Config{Seed: seed})
	o.GenerateFrom(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), n, over)
	return o.Events()
}

func TestEventsFollowTheSeed(t *testing.T) {
	a, b, c := generated(1, 100, time.Hour), generated(1, 100, time.Hour), generated(2, 100, time.Hour)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed makes different events")
	}
	if reflect.DeepEqual(a, c) {
		t.Error("two seeds make the same events")
	}
}

func TestEventsAreAsOktasAre(t *testing.T) {
	sizes, types, uuids := []int(nil), make(map[string]int), make(map[string]bool)
	var targetless, sorted int
	for _, e := range generated(3, 2000, 24*time.Hour) {
		var m map[string]any
		if err := json.Unmarshal(e.Data, &m); err != nil {
			t.Fatalf("%v: %s", err, e.Data)
		}
		if m["uuid"] != e.UUID || m["published"] != publishedText(e.Published) || uuids[e.UUID] {
			t.Fatalf("uuid or published of %s", e.Data)
		}
		if e.Persisted.Before(e.Published) || bytes.ContainsAny(e.Data, "\n\r") {
			t.Fatalf("persisted before published, or more than a line: %s", e.Data)
		}
		for _, name := range []string{"actor", "client", "device", "authenticationContext", "displayMessage", "eventType", "outcome",
			"securityContext", "severity", "debugContext", "legacyEventType", "transaction", "version", "request", "target"} {
			if _, ok := m[name]; !ok {
				t.Fatalf("no %s in %s", name, e.Data)
			}
		}
		if m["target"] == nil {
			targetless++
		}
		if again, _ := json.Marshal(m); bytes.Equal(again, e.Data) {
			sorted++
		}
		uuids[e.UUID] = true
		types[m["eventType"].(string)]++
		sizes = append(sizes, len(e.Data))
	}
	slices.Sort(sizes)
	if small, median, big := sizes[20], sizes[1000], sizes[1960]; small < 800 || median < 1500 || median > 3000 || big > 4200 {
		t.Errorf("sizes %d, %d, %d", small, median, big)
	}
	if sizes[1999] < 100_000 {
		t.Errorf("the largest has %d bytes", sizes[1999])
	}
	if len(types) < 20 || targetless == 0 || sorted > 0 {
		t.Errorf("%d types, %d without target, %d of bytes that Go would write", len(types), targetless, sorted)
	}
}

func TestSomeEventsComeLate(t *testing.T) {
	var late, back int
	events := generated(4, 2000, 24*time.Hour)
	for i, e := range events {
		if e.Persisted.Sub(e.Published) > time.Hour {
			late++
		}
		if i > 0 && e.Published.Before(events[i-1].Published) {
			back++
		}
	}
	if late == 0 || late > 30 || back < 50 {
		t.Errorf("%d late by hours, %d out of order", late, back)
	}
}

func TestADayHasItsRhythm(t *testing.T) {
	hours := make([]int, 24)
	for _, e := range generated(5, 3000, 24*time.Hour) {
		hours[e.Published.Hour()]++
	}
	if hours[9] < 3*hours[3] || hours[3] == 0 {
		t.Errorf("events by hour: %v", hours)
	}
}

func TestEvenEventsAreTheSameAtAnyTimeOfADay(t *testing.T) {
	logged := func(at time.Duration) (uuids []string, after []time.Duration) {
		o := New(Config{Seed: 5, Even: true})
		from := time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC).Add(at) // a Friday
		o.GenerateFrom(from, 300, 3*time.Hour)
		for _, e := range o.Events() {
			uuids, after = append(uuids, e.UUID), append(after, e.Published.Sub(from), e.Persisted.Sub(from))
		}
		return uuids, after
	}
	uuids, after := logged(10 * time.Minute)
	for _, at := range []time.Duration{13 * time.Hour, 23 * time.Hour, 37 * time.Hour} {
		if u, a := logged(at); !slices.Equal(u, uuids) || !slices.Equal(a, after) {
			t.Errorf("%s later the events are others", at)
		}
	}
}

func TestRunKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 6})
		done := make(chan struct{})
		stop, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		go func() { defer close(done); o.Run(stop, 60) }()
		<-done
		if n := o.Len(); n < 500 || n > 700 {
			t.Errorf("%d events in ten minutes, want about 600", n)
		}
	})
}

func TestGeneratedEventsArePersistedByNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 6})
		o.Generate(500, time.Minute)
		if a := ask(t, o, LogsPath+"?limit=1000"); len(a.elements) != 500 {
			t.Errorf("%d events are visible, want 500", len(a.elements))
		}
		o.GenerateFrom(o.Now().Add(time.Hour), 10, time.Minute)
		if a := ask(t, o, LogsPath+"?limit=1000&q=x"); o.Len() != 510 || a.StatusCode != 200 {
			t.Errorf("%d events in the log", o.Len())
		}
		if a := ask(t, o, LogsPath+"?limit=1000&since="+o.Now().Format(time.RFC3339)); len(a.elements) > 1000 {
			t.Error("events of the future are visible")
		}
	})
}
