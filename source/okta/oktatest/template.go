package oktatest

import (
	"bytes"
	"time"
)

// newTemplate returns an event of at least a given size, but not an unusual one.
func newTemplate(g *generator, published time.Time, least int) template {
	for {
		uuid, data := g.render("", published)
		if len(data) > 4096 {
			continue
		}
		if pad := least - len(data); pad > 0 {
			data = padded(data, pad)
		}
		t := template{data: data, uuid: bytes.Index(data, []byte(`"uuid":"`+uuid)),
			published: bytes.Index(data, []byte(`"published":"`+publishedText(published)+`"`))}
		if t.uuid < 0 || t.published < 0 {
			continue
		}
		t.uuid += len(`"uuid":"`)
		t.published += len(`"published":"`)
		return t
	}
}

// padded lengthens an event by about by bytes, with a member such as Okta may add at any
// time.
func padded(data []byte, by int) []byte {
	const member = `,"detail":""`
	text := make([]byte, 0, max(0, by-len(member)))
	for n := uint64(by); len(text) < cap(text); n = mix(n) {
		text = append(text, base62[n%62])
	}
	out := append(data[:len(data)-1:len(data)-1], member[:len(member)-1]...)
	return append(append(out, text...), '"', '}')
}
