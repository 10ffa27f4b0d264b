package search

import (
	"errors"
	"unicode/utf8"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
)

// members are an event's members, by name: a jsonscan.Tree. Events have much the same
// members in much the same order, so what is known of a member is kept for the next event,
// and found by the member before it.
type members struct {
	kind    *pipeline.Kind
	nodes   []node // members of objects, by number; 0 is the event
	columns []column
	named   map[string]int // columns by name

	life   int     // counts how often all of this was forgotten
	event  uint64  // counts events
	fields []int   // columns of this event, in its order
	values []value // of this event; slices of it

	left, cut, short int // of this event: members left out, values and names cut
}

// node is a member of an object at its place in events.
type node struct {
	name     string
	path     string // the names that lead to it, joined by dots; its first bytes if it is long
	column   int    // -1: it had no value yet
	children map[string]int
	last     int // the child seen last
	after    int // the sibling that followed it when it was seen last
}

// column is a field of rows.
type column struct {
	name  string
	field string // as JSON: a comma, the name and a colon
	short bool   // the name is cut

	rank        int    // of natives: among all columns by name
	begin, end  int    // of natives: the value
	event       uint64 // the event that had it last; what follows is of that
	first, last int    // in values
	array       bool
}

type value struct {
	raw     []byte
	escaped bool
	next    int // of the same column; -1: none
}

// mostNodes bounds what is kept for the next event. Okta has some hundred members.
const mostNodes = 5000

var errNoObject = errors.New("it does not begin with a brace")

// read collects the members of an event.
func (m *members) read(kind *pipeline.Kind, data []byte) error {
	if m.kind != kind || len(m.nodes) > mostNodes {
		*m = members{kind: kind, nodes: []node{{column: -1}}, named: map[string]int{}, event: m.event, life: m.life + 1}
	}
	m.event++
	m.fields, m.values = m.fields[:0], m.values[:0]
	m.left, m.cut, m.short = 0, 0, 0
	if jsonscan.New(data).Peek() != '{' {
		return errNoObject
	}
	return jsonscan.Walk(data, m)
}

// Member returns the number of a member.
func (m *members) Member(object int, name []byte) int {
	last := m.nodes[object].last
	if last > 0 {
		if next := m.nodes[last].after; next > 0 && m.nodes[next].name == string(name) {
			m.nodes[object].last = next
			return next
		}
	}
	i, ok := m.nodes[object].children[string(name)]
	if !ok {
		i = m.addNode(object, string(name))
	}
	m.nodes[object].last = i
	if last > 0 {
		m.nodes[last].after = i
	}
	return i
}

func (m *members) addNode(object int, name string) int {
	path := name
	if object > 0 {
		path = m.nodes[object].path + "." + name
	}
	const most = maxName + utf8.UTFMax
	if len(path) > most {
		path = path[:most]
	}
	m.nodes = append(m.nodes, node{name: name, path: path, column: -1})
	i, parent := len(m.nodes)-1, &m.nodes[object]
	if parent.children == nil {
		parent.children = map[string]int{}
	}
	parent.children[name] = i
	return i
}

// Leaf takes a value of a member.
func (m *members) Leaf(member int, inArray, escaped bool, raw []byte) {
	if raw[0] == 'n' {
		return
	}
	i := m.nodes[member].column
	if i < 0 {
		i = m.addColumn(m.nodes[member].path)
		m.nodes[member].column = i
	}
	c := &m.columns[i]
	if c.short {
		m.short++
	}
	switch {
	case c.event == m.event:
		c.array = true
		m.values[c.last].next = len(m.values)
	case len(m.fields) == maxFields:
		m.left++
		return
	default:
		m.fields = append(m.fields, i)
		c.event, c.array, c.first = m.event, inArray, len(m.values)
	}
	c.last = len(m.values)
	m.values = append(m.values, value{raw: raw, escaped: escaped, next: -1})
}

// addColumn returns the column of a path.
func (m *members) addColumn(path string) int {
	name, short := m.nameOf(path)
	i, ok := m.named[name]
	if !ok {
		i = m.addNamed(name)
	}
	m.columns[i].short = m.columns[i].short || short
	return i
}

func (m *members) addNamed(name string) int {
	i := len(m.columns)
	m.columns = append(m.columns, column{name: name, field: string(append(appendString([]byte{','}, []byte(name)), ':'))})
	m.named[name] = i
	return i
}

// nameOf returns the name of a field, and whether it is not all of it.
func (m *members) nameOf(path string) (name string, short bool) {
	name = path
	switch path {
	case "", "_stream", "_stream_id", FieldTime, FieldMessage, FieldInstance, FieldSeq, FieldStored, FieldOrigin, FieldFlaw:
		name = m.kind.Name + "." + path
	}
	if len(name) > maxName || !utf8.ValidString(path) {
		return cut(name, maxName), true
	}
	return name, false
}

// text returns the value of a member, if it is a string; the last one if there are more.
// Without one its raw bytes are nil.
func (m *members) text(name string) value {
	i, ok := m.named[name]
	if !ok || name == "" || m.columns[i].event != m.event {
		return value{}
	}
	v := m.values[m.columns[i].last]
	if v.raw[0] != '"' {
		return value{}
	}
	return v
}
