package pipeline

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/witfoo/signal-client/schemas"
)

func full() Position {
	return Position{
		Version: PositionVersion, Link: "/api/v1/logs?limit=999&after=1_1", Origin: "https://acme.okta.com", Query: "5f2b",
		CompleteThrough: time.Date(2026, 11, 22, 10, 19, 58, 0, time.UTC), PublishedMax: time.Date(2026, 11, 22, 10, 20, 0, 411e6, time.UTC),
		LastEvent: &LastEvent{UUID: "6f0d9f0e", Published: "2026-11-22T10:20:00.411Z"}, Events: 207, DedupeFrom: 1 << 60,
		Why: WhyPage, At: time.Date(2026, 11, 22, 10, 20, 3, 0, time.UTC),
	}
}

// TestThePositionOnTheWire is the contract with readers of signal-cursor.>.
func TestThePositionOnTheWire(t *testing.T) {
	const golden = `{"version":1,"link":"/api/v1/logs?limit=999\u0026after=1_1","origin":"https://acme.okta.com","query":"5f2b",` +
		`"complete_through":"2026-11-22T10:19:58Z","published_max":"2026-11-22T10:20:00.411Z",` +
		`"last_event":{"uuid":"6f0d9f0e","published":"2026-11-22T10:20:00.411Z"},"events":207,"dedupe_from":1152921504606846976,` +
		`"why":"page","at":"2026-11-22T10:20:03Z"}`
	p := full()
	p.Seq = 7
	got, err := json.Marshal(p)
	if err != nil || string(got) != golden {
		t.Errorf("Marshal: %v\n got %s\nwant %s", err, got, golden)
	}
	var back Position
	if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, full()) {
		t.Errorf("Unmarshal: %v\n got %+v\nwant %+v", err, back, full())
	}
}

func TestPositionsFitTheirSchema(t *testing.T) {
	bare := Position{Version: 1, Link: "/api/v1/logs", Origin: "http://127.0.0.1:8080", Why: WhyStart}
	for _, p := range []Position{full(), bare} {
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := schemas.Validate("position", data); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestUnknownMembersAreCarriedThrough(t *testing.T) {
	var p Position
	err := json.Unmarshal([]byte(`{"version":1,"link":"/api/v1/logs","shard":{"of":3.50},"why":"page","note":null,"Link":"x"}`), &p)
	if err != nil {
		t.Fatal(err)
	}
	p.Link, p.Why = "/api/v1/logs?after=2", WhyStart
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	for name, want := range map[string]string{
		"shard": `{"of":3.50}`, "note": "null", "link": `"/api/v1/logs?after=2"`, "why": `"start"`, "version": "1",
	} {
		if string(got[name]) != want {
			t.Errorf("%s is %s, want %s", name, got[name], want)
		}
	}
}

func TestAPositionThatIsReadAgainForgetsTheFormer(t *testing.T) {
	p := full()
	p.Extra, p.Seq = map[string]json.RawMessage{"old": []byte("1")}, 9
	if err := json.Unmarshal([]byte(`{"version":1,"link":"/api/v1/logs"}`), &p); err != nil {
		t.Fatal(err)
	}
	if want := (Position{Version: 1, Link: "/api/v1/logs"}); !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v, want %+v", p, want)
	}
}

func TestPositionsThatAreRefused(t *testing.T) {
	for data, newer := range map[string]bool{
		`{"version":2,"link":"/api/v1/logs"}`:         true,
		`{"version":2,"link":{"of":"another shape"}}`: true,
		`{"version":1}`:                                   false,
		`{"version":1,"link":""}`:                         false,
		`{"version":1,"link":7}`:                          false,
		`{"version":"1","link":"/api/v1/logs"}`:           false,
		`{"version":1,"link":"/api/v1/logs","at":"noon"}`: false,
		`{}`:   false,
		`null`: false,
		`[]`:   false,
		`7`:    false,
	} {
		var p Position
		err := json.Unmarshal([]byte(data), &p)
		if data == `null` {
			err = p.UnmarshalJSON([]byte(data))
		}
		if err == nil || errors.Is(err, ErrNewer) != newer {
			t.Errorf("%s: %v, want an error; ErrNewer: %v", data, err, newer)
		}
		if !reflect.DeepEqual(p, Position{}) {
			t.Errorf("%s left %+v", data, p)
		}
	}
}

// FuzzPosition: a position that is read, written and read again is the same.
func FuzzPosition(f *testing.F) {
	f.Add([]byte(`{"version":1,"link":"/api/v1/logs","extra":[1]}`))
	f.Add([]byte(`{"version":0,"link":"x","last_event":null,"at":"2026-11-22T10:20:03+01:00"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p, again Position
		if json.Unmarshal(data, &p) != nil || p.Link == "" {
			return
		}
		written, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if err := json.Unmarshal(written, &again); err != nil {
			t.Fatalf("%s was written as %s: %v", data, written, err)
		}
		rewritten, err := json.Marshal(again)
		if err != nil || string(rewritten) != string(written) {
			t.Errorf("%s, then %s (%v)", written, rewritten, err)
		}
	})
}
