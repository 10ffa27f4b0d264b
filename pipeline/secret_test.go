package pipeline

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const hidden = "00TopSecretToken"

// holders are the places in which a secret may get into a log.
func holders() map[string]any {
	s := NewSecret(hidden)
	type nested struct {
		Public  Secret
		private Secret
		Pointer *Secret
		List    []Secret
		Map     map[string]Secret
		Any     any
	}
	return map[string]any{
		"value": s, "pointer": &s, "list": []Secret{s}, "map": map[string]Secret{"a": s}, "integration": Integration{Token: s},
		"pointer to integration": &Integration{Token: s}, "entry": Entry{Integration: Integration{Token: s}},
		"nested":  nested{s, s, &s, []Secret{s}, map[string]Secret{"a": s}, s},
		"private": struct{ s Secret }{s},
	}
}

func mustHide(t *testing.T, how, out string) {
	t.Helper()
	if strings.Contains(out, hidden) || strings.Contains(out, fmt.Sprintf("%x", hidden)) || strings.Contains(out, fmt.Sprintf("%X", hidden)) {
		t.Errorf("%s shows the secret: %s", how, out)
	}
}

func TestASecretIsHiddenFromEveryVerb(t *testing.T) {
	for name, v := range holders() {
		for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "#x", "d", "T", "p", "t", "w", "z", "10.3s", "-20v"} {
			mustHide(t, name+" with %"+verb, fmt.Sprintf("%"+verb, v))
		}
		mustHide(t, name+" by Sprint", fmt.Sprint(v))
	}
	if got := fmt.Sprintf("%s %v %q", NewSecret(hidden), NewSecret(hidden), NewSecret("")); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("got %s", got)
	}
}

func TestASecretIsHiddenFromEncodings(t *testing.T) {
	for name, v := range holders() {
		if data, err := json.Marshal(v); err == nil {
			mustHide(t, name+" as JSON", string(data))
		}
		if data, err := xml.Marshal(v); err == nil {
			mustHide(t, name+" as XML", string(data))
		}
	}
	data, err := json.Marshal(map[string]any{"token": NewSecret(hidden)})
	if err != nil || string(data) != `{"token":"[redacted]"}` {
		t.Errorf("got %s, %v", data, err)
	}
}

func TestASecretIsHiddenFromLogs(t *testing.T) {
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(h)
		for name, v := range holders() {
			log.With("w", v).WithGroup("g").Info("m", name, v, "err", fmt.Errorf("with %v", v))
		}
	}
	mustHide(t, "the log", out.String())
	if !strings.Contains(out.String(), "[redacted]") {
		t.Errorf("nothing was logged: %s", &out)
	}
}

func TestASecretReadsItsValue(t *testing.T) {
	var s Secret
	if err := json.Unmarshal([]byte(`"`+hidden+`"`), &s); err != nil || s.Reveal() != hidden || s.IsZero() {
		t.Errorf("from JSON: %q, %v", s.Reveal(), err)
	}
	err := json.Unmarshal([]byte(`{"`+hidden+`":1}`), &s)
	if err == nil {
		t.Error("an object is no secret")
	}
	mustHide(t, "the error", errors.Join(err).Error())
	if !(Secret{}).IsZero() {
		t.Error("the zero value holds a secret")
	}
}
