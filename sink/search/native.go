package search

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
)

// nativePath takes rows as VictoriaLogs' servers send them to each other (v1.52.1,
// lib/logstorage, InsertRow). It costs the index a fifth less than lines of JSON, but is
// for servers of one version: only the child, which is of this binary, is sent them.
const nativePath = "/internal/insert?version=v1"

// natives makes such rows of events. Fields are sorted by name, which spares VictoriaLogs
// that.
type natives struct {
	rower
	ranked  int      // life of the columns in sorted
	sorted  []int    // columns by name
	present []uint64 // bits of the columns that this row has, by their rank in sorted
	flat    []byte   // the row's values
	size    int      // of its names and values
	tags    []byte   // of the stream of instance
	of      string   // instance of tags
}

// append appends the row that AppendRow tells, and returns its time.
func (n *natives) append(dst []byte, kind *pipeline.Kind, e *scan.Stored) ([]byte, time.Time) {
	err := n.read(kind, e.Data)
	n.tidy = !odd(e.Data)
	n.flat, n.size = n.flat[:0], 0
	n.rank()
	at, message, flaw := e.At, "", ""
	if err != nil {
		message, flaw = cut(string(e.Data), maxMessage), "not a JSON object: "+err.Error()
	} else {
		at, message = n.happened(e), n.message()
	}
	n.own("", message)
	n.own(FieldInstance, e.Instance)
	n.own(FieldOrigin, cut(jets.First(e.Header, jets.HeaderOrigin), maxName))
	n.ownBytes(FieldSeq, strconv.AppendUint(n.flat, e.Seq, 10))
	n.ownBytes(FieldStored, e.At.UTC().AppendFormat(n.flat, time.RFC3339Nano))
	if err == nil {
		n.addMembers()
		flaw = n.flaw()
	}
	n.own(FieldFlaw, flaw)
	return n.write(dst, e.Instance, at), at
}

// message returns what appendMessage appends.
func (n *natives) message() string {
	for _, name := range []string{n.kind.Members.Message, n.kind.Members.Type} {
		if v := n.text(name); len(v.raw) > len(`""`) {
			return cut(jsonscan.Decode(v.raw), maxMessage)
		}
	}
	return "(no message)"
}

// own adds a field that is not a member of the event.
func (n *natives) own(name, text string) {
	if text != "" {
		n.ownBytes(name, append(n.flat, strings.ToValidUTF8(text, "\ufffd")...))
	}
}

// ownBytes adds such a field, whose value was appended to flat.
func (n *natives) ownBytes(name string, flat []byte) {
	n.put(n.named[name], flat)
}

// put adds a field whose value was appended to flat.
func (n *natives) put(i int, flat []byte) {
	c := &n.columns[i]
	c.begin, c.end = len(n.flat), len(flat)
	n.flat = flat
	n.size += len(c.name) + c.end - c.begin + len(`"":"",`)
	n.present[c.rank/64] |= 1 << (c.rank % 64)
}

// rank sorts the columns that are new, before the row has any.
func (n *natives) rank() {
	if n.ranked != n.life {
		n.ranked, n.sorted, n.present = n.life, n.sorted[:0], n.present[:0]
		for _, name := range []string{"", FieldInstance, FieldOrigin, FieldSeq, FieldStored, FieldFlaw} {
			n.addNamed(name)
		}
	}
	for i := len(n.sorted); i < len(n.columns); i++ {
		at, _ := slices.BinarySearchFunc(n.sorted, n.columns[i].name, func(j int, name string) int { return strings.Compare(n.columns[j].name, name) })
		n.sorted = slices.Insert(n.sorted, at, i)
		for rank, j := range n.sorted[at:] {
			n.columns[j].rank = at + rank
		}
	}
	n.present = slices.Grow(n.present[:0], len(n.sorted)/64+1)[:len(n.sorted)/64+1]
	clear(n.present)
}

// addMembers adds the event's members.
func (n *natives) addMembers() {
	for _, i := range n.fields {
		c := &n.columns[i]
		var flat []byte
		if c.array {
			flat = n.array(c)
		} else {
			flat = n.scalar(&n.values[c.first])
		}
		if n.size+len(c.name)+len(flat)-len(n.flat) > maxRow {
			n.left++
			continue
		}
		n.put(i, flat)
	}
}

// scalar appends a scalar to flat.
func (n *natives) scalar(v *value) []byte {
	switch {
	case len(v.raw) > maxValue:
		n.cut++
		return append(n.flat, cut(scalarText(v.raw), maxValue)...)
	case v.raw[0] != '"':
		return append(n.flat, v.raw...)
	case !v.escaped && n.tidy:
		return append(n.flat, v.raw[1:len(v.raw)-1]...)
	case n.tidy:
		return appendUnescaped(n.flat, v.raw[1:len(v.raw)-1])
	}
	return append(n.flat, scalarText(v.raw)...)
}

// appendUnescaped appends what a JSON string without \u holds.
func appendUnescaped(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		c := text[i+1]
		if at := strings.IndexByte("bfnrt", c); at >= 0 {
			c = "\b\f\n\r\t"[at]
		}
		dst, text = append(dst, c), text[i+2:]
	}
}

// array appends a column's values to flat, as a JSON array.
func (n *natives) array(c *column) []byte {
	begin := len(n.flat)
	flat := append(n.flat, '[')
	for i := c.first; i >= 0; i = n.values[i].next {
		before, v := len(flat), &n.values[i]
		if i != c.first {
			flat = append(flat, ',')
		}
		if v.raw[0] != '"' || !v.escaped && n.tidy {
			flat = append(flat, v.raw...)
		} else {
			flat = appendString(flat, []byte(scalarText(v.raw)))
		}
		if len(flat)-begin > maxValue {
			flat, n.cut = flat[:before], n.cut+1
			break
		}
	}
	return append(flat, ']')
}

// write appends the row: its tenant (none), stream, time, and fields.
func (n *natives) write(dst []byte, instance string, at time.Time) []byte {
	if n.of != instance || len(n.tags) == 0 {
		n.of, n.tags = instance, appendSized(appendSized([]byte{1}, FieldInstance), instance)
	}
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = appendSized(dst, n.tags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(at.UnixNano())) //nolint:gosec // happened is after 1970
	fields := 0
	for _, word := range n.present {
		fields += bits.OnesCount64(word)
	}
	dst = binary.AppendUvarint(dst, uint64(fields)) //nolint:gosec // a count
	for w, word := range n.present {
		for ; word != 0; word &= word - 1 {
			c := &n.columns[n.sorted[w*64+bits.TrailingZeros64(word)]]
			dst = appendSized(dst, c.name)
			dst = appendSized(dst, n.flat[c.begin:c.end])
		}
	}
	return dst
}

// appendSized appends a text behind its length.
func appendSized[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}
