package overview

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// An entry of STATUS may be old, and its writer gone.
func TestStatusAsOfNow(t *testing.T) {
	now := time.Now()
	written := pipeline.Status{Kind: sinktest.Kind, Instance: "prod", State: pipeline.StatePolling, Holder: "one", UpdatedAt: now, CompleteThrough: now.Add(-time.Minute)}
	on := pipeline.Entry{Integration: pipeline.Integration{Enabled: true}}
	for _, c := range []struct {
		name   string
		status pipeline.Status
		held   bool
		stored bool
		entry  pipeline.Entry
		state  pipeline.State
		holder string
	}{
		{"held", written, true, true, on, pipeline.StatePolling, "one"},
		{"holder gone", written, false, true, on, pipeline.StateUnowned, ""},
		{"from the environment, holder gone", written, false, false, pipeline.Entry{}, pipeline.StateUnowned, ""},
		{"never polled", pipeline.Status{}, false, true, on, pipeline.StateNew, ""},
		{"disabled just now", written, true, true, pipeline.Entry{}, pipeline.StateDisabled, ""},
		{"spoilt just now", written, true, true, pipeline.Entry{Err: errors.New("bad")}, pipeline.StateConfig, ""},
	} {
		got := asOf(now, c.status, c.held, c.stored, c.entry)
		if got.State != c.state || got.Holder != c.holder {
			t.Errorf("%s: %s held by %q, want %s by %q", c.name, got.State, got.Holder, c.state, c.holder)
		}
	}
	if got := asOf(now, written, true, true, on); got.LagSeconds != 60 {
		t.Errorf("lag %v, want 60", got.LagSeconds)
	}
}

// A new process with the name of a killed one does not vouch for the old one's entries.
func TestStatusOfAnEarlierProcess(t *testing.T) {
	now := time.Now()
	held := map[string]locks.Lock{"okta.held": {Holder: "one", Session: "now"}, "okta.void": {Holder: "one", Session: "before"}}
	sessions := map[string]locks.Session{"one": {ID: "now", StartedAt: now}}
	v := Overview{Replicas: locks.Replicas{Sessions: sessions, Locks: held}}
	for instance, written := range map[string]time.Duration{"held": -time.Second, "void": -time.Second, "said": time.Second} {
		v.Statuses = append(v.Statuses, pipeline.Status{Kind: sinktest.Kind, Instance: instance, State: pipeline.StatePolling, Holder: "one", UpdatedAt: now.Add(written)})
	}
	got := map[string]pipeline.State{}
	for _, s := range Statuses(v, now.Add(2*time.Second)) {
		got[s.Instance] = s.State
	}
	want := map[string]pipeline.State{"held": pipeline.StatePolling, "void": pipeline.StateUnowned, "said": pipeline.StatePolling}
	if !maps.Equal(got, want) {
		t.Errorf("states are %v, want %v", got, want)
	}
	fresh, err := json.Marshal(Statuses(Overview{Entries: map[string]pipeline.Entry{"new": {Integration: pipeline.Integration{Kind: sinktest.Kind}}}}, now))
	if err != nil || strings.Contains(string(fresh), "updated_at") {
		t.Errorf("nothing was written, and there is %s, %v", fresh, err)
	}
}

// The last entries of STATUS are not current when nothing can be written.
func TestStatusWhileNothingIsStored(t *testing.T) {
	now := time.Now()
	for ago, want := range map[time.Duration]pipeline.State{5 * time.Second: pipeline.StateCatchingUp, time.Minute: pipeline.StateCatchingUp, 5 * time.Minute: pipeline.StateRetrying} {
		v := Overview{
			Statuses: []pipeline.Status{{Kind: sinktest.Kind, Instance: "prod", State: pipeline.StateCatchingUp, Holder: "one", UpdatedAt: now.Add(-ago)}},
			Replicas: locks.Replicas{
				Sessions: map[string]locks.Session{"one": {ID: "1", TTL: 10 * time.Second, RenewedAt: now.Add(-ago)}},
				Locks:    map[string]locks.Lock{"okta.prod": {Holder: "one", Session: "1"}},
			},
		}
		got := Statuses(v, now)[0]
		if got.State != want || (got.LastError != "") != (want == pipeline.StateRetrying) {
			t.Errorf("renewed %v ago: %s, %q", ago, got.State, got.LastError)
		}
	}
}
