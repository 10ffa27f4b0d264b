package jsonscan

import (
	"encoding/json"
	"strings"
	"testing"
)

// leaves are what a Tree is told: each scalar with the names that lead to it.
type leaves struct {
	paths []string // of members, by number - 1
	leaf  func(path string, inArray bool, raw []byte)
}

func (l *leaves) Member(object int, name []byte) int {
	path := string(name)
	if object > 0 {
		path = l.paths[object-1] + "." + path
	}
	l.paths = append(l.paths, path)
	return len(l.paths)
}

func (l *leaves) Leaf(member int, inArray, escaped bool, raw []byte) {
	if escaped != (raw[0] == '"' && strings.Contains(string(raw), `\`)) {
		panic("told wrong whether " + string(raw) + " has escapes")
	}
	path := ""
	if member > 0 {
		path = l.paths[member-1]
	}
	l.leaf(path, inArray, raw)
}

func TestWalk(t *testing.T) {
	for _, test := range []struct{ data, want string }{
		{`{"a":1,"b":{"c":"x","d":null},"e":[]}`, `a=1 b.c="x" b.d=null`},
		{` { "a" : [ 1 , [ true ] , { "b" : -0.5e3 } ] , "z" : 2 } `, `a[]=1 a[]=true a.b[]=-0.5e3 z=2`},
		{`{"\u0061":{"":{"":1}},"":{"b":2}}`, `a..=1 .b=2`},
		{`[{"a":1}]`, `a[]=1`},
		{`7`, `=7`},
		{`{"a":1} x`, `a=1 !`},
		{`{"a":1,"b":01}`, `a=1 b=0 !`},
		{``, `!`},
	} {
		var got []string
		err := Walk([]byte(test.data), &leaves{leaf: func(path string, inArray bool, raw []byte) {
			got = append(got, path+map[bool]string{true: "[]"}[inArray]+"="+string(raw))
		}})
		if err != nil {
			got = append(got, "!")
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s: %s, want %s", test.data, text, test.want)
		}
	}
}

// FuzzWalk compares Walk with encoding/json: both refuse the same texts and find the
// same number of scalars.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{`{"a":{"b":[1,null,{"c":"x"}]}}`, `[[[]]]`, `{"a":1}}`, `{"\ud800":"\xff"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got []string
		err := Walk(data, &leaves{leaf: func(_ string, _ bool, raw []byte) { got = append(got, string(raw)) }})
		if (err == nil) != json.Valid(data) {
			t.Fatalf("%q: %v", data, err)
		}
		if err != nil {
			return
		}
		d, n := json.NewDecoder(strings.NewReader(string(data))), 0
		d.UseNumber()
		for {
			token, err := d.Token()
			if err != nil {
				break
			}
			if _, bracket := token.(json.Delim); !bracket {
				n++
			}
		}
		if n -= names(data); n != len(got) {
			t.Fatalf("%q: %d scalars, encoding/json: %d", data, len(got), n)
		}
		for _, raw := range got {
			if !json.Valid([]byte(raw)) {
				t.Fatalf("%q: the scalar %q", data, raw)
			}
		}
	})
}

// names counts the members of all objects of a text.
func names(data []byte) int {
	n := 0
	s := New(data)
	var value func() error
	value = func() error {
		switch s.Peek() {
		case '{':
			return s.Members(func([]byte) error { n++; return value() })
		case '[':
			return s.Array(value)
		}
		return s.Value()
	}
	_ = value()
	return n
}
