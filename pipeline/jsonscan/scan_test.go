package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// valid reports whether a text is one JSON value.
func valid(text []byte) bool {
	s := New(text)
	return s.Value() == nil && s.Ended()
}

func TestValueRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "<!DOCTYPE html>", "[", "[{}", "[{},", "[{},]", "[,]", "[{}]]", "[{}] []", "[{}]x",
		"[tru]", "[truex]", "[nul", "[01]", "[1.]", "[1e]", "[-]", "[+1]", "[.5]", "[\"\n\"]", `["\x"]`, `["\u12g4"]`, `["\u12`, `["a`, `["\`,
		`[{"a"}]`, `[{"a":}]`, `[{"a":1,}]`, `[{a:1}]`, `[{"a":1 "b":2}]`, `[{,}]`, "[1 2]", "\xef\xbb\xbf[]", "[]\x00",
		strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	} {
		if valid([]byte(text)) {
			t.Errorf("%.40q is taken", text)
		}
	}
}

func TestValueNests(t *testing.T) {
	if !valid([]byte(strings.Repeat("[", 10000) + strings.Repeat("]", 10000))) {
		t.Error("refused")
	}
}

func TestSkipNestsAsDeepAsItLikes(t *testing.T) {
	for text, want := range map[string]bool{
		strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6):                                  true,
		strings.Repeat(`{"a":[1,`, 1e5) + "{}" + strings.Repeat(`],"b":null}`, 1e5):          true,
		strings.Repeat(`{"a":[1,`, 1e5) + "{}" + strings.Repeat(`],"b":null}`, 1e5-1) + `]]`: false,
		strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6-1):                                false,
		strings.Repeat("[", 1e5) + "x" + strings.Repeat("]", 1e5):                            false,
		strings.Repeat(`[{"a":`, 1e5) + "1" + strings.Repeat("]}", 1e5):                      false,
	} {
		if s := New([]byte(text)); (s.Skip() == nil && s.Ended()) != want {
			t.Errorf("%.20q…: want %v", text, want)
		}
	}
}

// FuzzValue compares Value with encoding/json: both accept the same texts.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{
		`[]`, ` [ ] `, `[{"\u0075uid":"\ud83d\ude00","uuid":"\ud800"}]`, `[-0.1e-7,10E+2,true,false]`, `[1,]`, "[\"\x7f\xff\"]", `{}`, `[[[[`,
		`{"a":{"b":[{"uuid":1}]},"uuid":"x"} `, `"\"\\\/\b\f\n\r\t"`, `01`, `1 2`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := valid(bytes.Clone(text)), json.Valid(text); got != want {
			t.Fatalf("%q: taken %v, by encoding/json %v", text, got, want)
		}
		if s := New(text); (s.Skip() == nil && s.Ended()) != json.Valid(text) && !errors.Is(New(text).Value(), ErrDeep) {
			t.Fatalf("%q: skipped, or not, unlike encoding/json", text)
		}
	})
}
