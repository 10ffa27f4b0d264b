package okta

import (
	"testing"

	"github.com/witfoo/signal-client/pipeline"
)

func TestElement(t *testing.T) {
	for data, want := range map[string]pipeline.Event{
		`{"uuid":"a","eventType":"t","published":"2026-11-22T08:00:00.000Z"}`: {UUID: "a", Type: "t", Time: "2026-11-22T08:00:00.000Z"},
		`{"uuid":7}`: {Flaw: pipeline.FlawNoUUID},
		`null`:       {Flaw: pipeline.FlawNotObject},
	} {
		got, err := Element([]byte(data))
		if err != nil || got.UUID != want.UUID || got.Type != want.Type || got.Time != want.Time || got.Flaw != want.Flaw || string(got.Data) != data {
			t.Errorf("%s: %+v, %v", data, got, err)
		}
	}
	for _, data := range []string{``, `{"uuid":"a"`, `{"uuid":"a"} {}`, `nonsense`} {
		if got, err := Element([]byte(data)); err == nil {
			t.Errorf("%s: %+v", data, got)
		}
	}
}
