package oktatest

import (
	"fmt"
	"strings"
	"time"
)

// NonEvents lists elements that are not events: not an object, or without a uuid that is
// printable text. A Fault can inject them, or they can be added to the log as an Event's
// Data.
func NonEvents() []string {
	return []string{
		`null`, `42`, `"event"`, `[]`, `true`, `{}`,
		`{"eventType":"user.session.start","published":"2026-01-01T00:00:00.000Z"}`,
		`{"uuid":7}`, `{"uuid":null}`, `{"uuid":""}`, `{"uuid":{"id":"x"}}`,
		`{"uuid":"a\u0000b\r\nNats-Msg-Id: x"}`, `{"UUID":"3f0e2b80-0000-4000-8000-00000000000c"}`,
	}
}

// OddEvents returns unusual events that must be delivered, each with its own uuid:
// members of wrong types, bytes that an encoder would write differently, an unusual
// order, and one of 100 KB.
func OddEvents(seed uint64, published time.Time) []Event {
	at := publishedText(published)
	forms := []string{
		`{"uuid":"%s","published":"yesterday","eventType":"user.session.start"}`,
		`{"uuid":"%s","published":1767225600,"eventType":"user.session.start"}`,
		`{"uuid":"%s","published":"` + at + `","eventType":7}`,
		`{"uuid":"%s","published":"` + at + `","eventType":null}`,
		`{"uuid":"%s"}`,
		`{"uuid":"%s","published":"` + at + `","eventType":"user.session.start\nX-Injected: 1"}`,
		`{"uuid":"%s","published":"` + at + `","eventType":"übung.ünïcode 100%%"}`,
		`{ "uuid" : "%s" , "published":"` + at + `", "n":[1.0, 1e400, -0, 12345678901234567890] }`,
		`{"uuid":"%s","published":"` + at + `","s":"\u003cb\u003e \/ \ud83d \ud83d\ude00 <&>"}`,
		`{"target":[{"uuid":"not mine","published":"1999-01-01T00:00:00.000Z"}],"uuid":"%s","published":"` + at + `"}`,
		`{"UUID":"not mine","uuid":"%s","Published":"nor this","published":"` + at + `","EventType":"nor.that","eventType":"user.session.start"}`,
		`{"uuid":"%s","published":"` + strings.TrimSuffix(at, "Z") + `976Z","eventType":"user.session.start"}`,
		`{"uuid":"%s","published":"` + at + `","deep":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
		`{"uuid":"%s","published":"` + at + `","debugContext":{"debugData":{"batch":"` + strings.Repeat("0123456789", 10_000) + `"}}}`,
	}
	events := make([]Event, 0, len(forms))
	for i, form := range forms {
		uuid := formatUUID(mix(seed), mix(seed+uint64(i)+1), 4)
		events = append(events, Event{UUID: uuid, Data: fmt.Appendf(nil, form, uuid), Published: published})
	}
	return events
}

// Oversize returns an event of about size bytes.
func Oversize(seed uint64, size int, published time.Time) Event {
	uuid := formatUUID(mix(seed), mix(uint64(size)), 4)
	text := fmt.Sprintf(`{"uuid":"%s","published":"%s","eventType":"system.import.complete_batch","debugContext":{"debugData":{"batch":"%s"}}}`,
		uuid, publishedText(published), strings.Repeat("0123456789abcdef", size/16))
	return Event{UUID: uuid, Data: []byte(text), Published: published}
}
