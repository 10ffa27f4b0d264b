package search

import (
	"errors"
	"hash/maphash"
	"unicode/utf8"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
)

// row is an event's members, by name. Values are slices of the event.
type row struct {
	kind   *pipeline.Kind
	seed   maphash.Seed
	hashes []uint64 // of the names of fields
	fields []field
	names  []byte
	values []value

	left, cut, named int // members left out, values and names cut
}

// field is the values of a name: one, or those of an array.
type field struct {
	begin, end  int // of its name in names
	first, last int // in values
	array       bool
}

type value struct {
	raw  []byte
	next int // of the same field; -1: none
}

// usual is more than the number of members of an event.
const usual = 128

func newRow(kind *pipeline.Kind) *row {
	return &row{
		kind: kind, seed: maphash.MakeSeed(),
		hashes: make([]uint64, 0, usual), fields: make([]field, 0, usual), values: make([]value, 0, usual), names: make([]byte, 0, 32*usual),
	}
}

var errNoObject = errors.New("it does not begin with a brace")

// read collects the members of an event.
func (r *row) read(data []byte) error {
	if jsonscan.New(data).Peek() != '{' {
		return errNoObject
	}
	return jsonscan.Leaves(data, r.add)
}

func (r *row) add(path []byte, inArray bool, raw []byte) {
	if raw[0] == 'n' {
		return
	}
	begin := len(r.names)
	r.appendName(path)
	hash := maphash.Bytes(r.seed, r.names[begin:])
	i := r.find(hash, r.names[begin:])
	if i >= 0 {
		r.names = r.names[:begin]
		r.another(&r.fields[i], raw)
		return
	}
	if len(r.fields) == maxFields {
		r.names = r.names[:begin]
		r.left++
		return
	}
	r.hashes = append(r.hashes, hash)
	r.fields = append(r.fields, field{begin: begin, end: len(r.names), first: len(r.values), last: len(r.values), array: inArray})
	r.values = append(r.values, value{raw: raw, next: -1})
}

// another adds a further value of a field.
func (r *row) another(f *field, raw []byte) {
	f.array = true
	r.values[f.last].next = len(r.values)
	f.last = len(r.values)
	r.values = append(r.values, value{raw: raw, next: -1})
}

// find returns the index of the field of a name; -1: none.
func (r *row) find(hash uint64, name []byte) int {
	for i, h := range r.hashes {
		if h == hash && string(r.name(&r.fields[i])) == string(name) {
			return i
		}
	}
	return -1
}

func (r *row) name(f *field) []byte { return r.names[f.begin:f.end] }

// appendName adds the name of a member to names.
func (r *row) appendName(path []byte) {
	begin := len(r.names)
	switch string(path) {
	case "", "_stream", "_stream_id", FieldTime, FieldMessage, FieldInstance, FieldSeq, FieldStored, FieldOrigin, FieldFlaw:
		r.names = append(append(r.names, r.kind.Name...), '.')
	}
	r.names = append(r.names, path...)
	if len(r.names)-begin > maxName || !utf8.Valid(path) {
		short := cut(string(r.names[begin:]), maxName)
		r.names = append(r.names[:begin], short...)
		r.named++
	}
}

// text returns the value of a member, if it is a string; the last one if there are more.
func (r *row) text(name string) string {
	i := r.find(maphash.String(r.seed, name), []byte(name))
	if name == "" || i < 0 {
		return ""
	}
	return jsonscan.Decode(r.values[r.fields[i].last].raw)
}
