package search

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
)

// Fields of a row besides the members of its event. A member of one of these names, or of
// an empty one, has the name of its kind before its own, such as okta.origin.
const (
	FieldTime     = "_time"    // when the event happened; when it was stored if it does not say
	FieldMessage  = "_msg"     // its message for people; its type if it has none
	FieldInstance = "instance" // the stream field
	FieldSeq      = "seq"      // sequence in SIGNALS
	FieldStored   = "stored"   // when it was stored, in RFC 3339
	FieldOrigin   = "origin"   // backfill or repair; absent if it was polled live
	FieldFlaw     = "flaw"     // what of the event is not in the row; absent: nothing
)

// Bounds of a row. VictoriaLogs drops a row above 256 KiB as JSON (by default), with a
// name above 128 bytes, or with more than 1,000 fields.
const (
	maxRow     = 250_000 // bytes as JSON
	maxValue   = 128_000 // bytes of a value
	maxMessage = 16_000  // bytes
	maxName    = 128     // bytes
	maxFields  = 900     // members
)

// AppendRow appends an event as a line of JSON, as VictoriaLogs takes it: the fields named
// above and the event's members. Names of nested members are joined by dots, nulls are
// left out, and every value is text. Values that stand in an array, or have the same name
// for another reason, are gathered as a JSON array: a target's ids are target.id. An event
// that is not a JSON object has its bytes as its message. Every event gives a row that
// VictoriaLogs takes: what exceeds the bounds is cut, and told in FieldFlaw.
func AppendRow(dst []byte, kind *pipeline.Kind, e *scan.Stored) []byte {
	dst, _ = new(rower).append(dst, kind, e)
	return dst
}

// rower makes rows of events. What it learns of one event makes the next one cheap.
type rower struct {
	members
	tidy bool // the event is UTF-8 and has no \u: its strings can be copied as they are
}

// append does what AppendRow does, and returns the row's time as well.
func (r *rower) append(dst []byte, kind *pipeline.Kind, e *scan.Stored) ([]byte, time.Time) {
	if err := r.read(kind, e.Data); err != nil {
		return appendUnread(dst, e, err), e.At
	}
	r.tidy = !odd(e.Data)
	begin := len(dst)
	dst, at := r.appendOwn(dst, e)
	for _, i := range r.fields {
		dst = r.appendField(dst, begin, &r.columns[i])
	}
	if flaw := r.flaw(); flaw != "" {
		dst = appendText(dst, FieldFlaw, flaw)
	}
	return append(dst, '}', '\n'), at
}

// appendUnread appends the row of an event that is not a JSON object.
func appendUnread(dst []byte, e *scan.Stored, err error) []byte {
	dst = appendHead(dst, e, e.At)
	dst = appendText(dst, FieldMessage, cut(string(e.Data), maxMessage))
	dst = appendOrigin(dst, e)
	dst = appendText(dst, FieldFlaw, "not a JSON object: "+err.Error())
	return append(dst, '}', '\n')
}

func (r *rower) appendOwn(dst []byte, e *scan.Stored) ([]byte, time.Time) {
	at := r.happened(e)
	dst = appendHead(dst, e, at)
	dst = r.appendMessage(dst)
	return appendOrigin(dst, e), at
}

// happened returns when an event happened; when it was stored, if it does not say.
func (r *rower) happened(e *scan.Stored) time.Time {
	v := r.text(r.kind.Members.Published)
	if v.raw == nil {
		return e.At
	}
	var at time.Time
	err := at.UnmarshalText(v.raw[1 : len(v.raw)-1])
	if err != nil {
		at, err = time.Parse(time.RFC3339, jsonscan.Decode(v.raw))
	}
	if err != nil || at.Before(time.Unix(0, 0)) || at.After(time.Unix(0, math.MaxInt64)) {
		return e.At
	}
	return at
}

// appendMessage appends the first of message and type that says something.
func (r *rower) appendMessage(dst []byte) []byte {
	for _, name := range []string{r.kind.Members.Message, r.kind.Members.Type} {
		v := r.text(name)
		switch {
		case len(v.raw) <= len(`""`):
		case r.tidy && !v.escaped && len(v.raw)-2 <= maxMessage:
			return append(append(dst, `,"`+FieldMessage+`":`...), v.raw...)
		default:
			return appendText(dst, FieldMessage, cut(jsonscan.Decode(v.raw), maxMessage))
		}
	}
	return appendText(dst, FieldMessage, "(no message)")
}

// appendHead appends fields that every row has.
func appendHead(dst []byte, e *scan.Stored, at time.Time) []byte {
	dst = append(dst, `{"_time":"`...)
	dst = at.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","stored":"`...)
	dst = e.At.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","seq":"`...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(dst, '"')
	return appendText(dst, FieldInstance, e.Instance)
}

func appendOrigin(dst []byte, e *scan.Stored) []byte {
	if origin := jets.First(e.Header, jets.HeaderOrigin); origin != "" {
		dst = appendText(dst, FieldOrigin, cut(origin, maxName))
	}
	return dst
}

func (r *rower) appendField(dst []byte, begin int, c *column) []byte {
	before := len(dst)
	dst = append(dst, c.field...)
	if c.array {
		dst = r.appendArray(dst, c)
	} else {
		dst = r.appendScalar(dst, &r.values[c.first])
	}
	if len(dst)-begin > maxRow {
		r.left++
		return dst[:before]
	}
	return dst
}

// appendScalar appends a scalar as a JSON string.
func (r *rower) appendScalar(dst []byte, v *value) []byte {
	switch {
	case len(v.raw) > maxValue:
		r.cut++
		return appendString(dst, []byte(cut(scalarText(v.raw), maxValue)))
	case v.raw[0] != '"':
		dst = append(append(dst, '"'), v.raw...)
		return append(dst, '"')
	case !r.tidy && odd(v.raw):
		return appendString(dst, []byte(scalarText(v.raw)))
	}
	return append(dst, v.raw...)
}

// appendArray appends the column's values as a JSON string that holds a JSON array.
func (r *rower) appendArray(dst []byte, c *column) []byte {
	dst = append(dst, `"[`...)
	begin := len(dst)
	for i := c.first; i >= 0; i = r.values[i].next {
		before := len(dst)
		if i != c.first {
			dst = append(dst, ',')
		}
		dst = r.appendElement(dst, &r.values[i])
		if len(dst)-begin > maxValue {
			dst, r.cut = dst[:before], r.cut+1
			break
		}
	}
	return append(dst, `]"`...)
}

// appendElement appends a scalar of an array that stands in a JSON string itself.
func (r *rower) appendElement(dst []byte, v *value) []byte {
	if v.raw[0] != '"' {
		return append(dst, v.raw...)
	}
	if !v.escaped && (r.tidy || utf8.Valid(v.raw)) {
		dst = append(append(dst, `\"`...), v.raw[1:len(v.raw)-1]...)
		return append(dst, `\"`...)
	}
	text := appendString(nil, appendString(nil, []byte(scalarText(v.raw))))
	return append(dst, text[1:len(text)-1]...)
}

// odd reports whether raw strings have what parsers read in different ways: bytes that
// are not UTF-8, or \u, which may be half of a pair.
func odd(raw []byte) bool { return bytes.Contains(raw, []byte(`\u`)) || !utf8.Valid(raw) }

// scalarText returns a scalar's text.
func scalarText(raw []byte) string {
	if raw[0] == '"' {
		return jsonscan.Decode(raw)
	}
	return string(raw)
}

// cut returns the beginning of a text.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(text[:min(len(text), most+1)], "\ufffd")
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

func appendText(dst []byte, name, text string) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return appendString(dst, []byte(text))
}

// appendString appends a text as a JSON string. Only what JSON requires is escaped, so
// that words stay words.
func appendString(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	}
	dst = append(dst, '"')
	done := 0
	for i, c := range text {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[done:i]...)
		if c < 0x20 {
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, '\\', c)
		}
		done = i + 1
	}
	return append(append(dst, text[done:]...), '"')
}

// flaw returns what of the event is not in the row.
func (r *rower) flaw() string {
	if r.left+r.cut+r.short == 0 {
		return ""
	}
	var told []string
	for _, f := range []struct {
		n    int
		what string
	}{
		{r.left, "members left out"}, {r.cut, "values cut"}, {r.short, "names cut"},
	} {
		if f.n > 0 {
			told = append(told, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	return strings.Join(told, ", ")
}
