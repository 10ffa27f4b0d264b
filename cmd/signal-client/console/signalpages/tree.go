package signalpages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a page shows of an event; its bytes can be downloaded.
const (
	maxNodes = 5_000
	maxDepth = 64
	maxText  = 64 << 10 // bytes of the exact text
	maxValue = 4 << 10  // bytes of a value in the tree
)

// node is a value of a JSON document, in the document's order.
type node struct {
	Name   string // of a member, or an element's index
	Class  string // object, array, string, number or word
	Text   string // of a scalar; of an object or array: how many it holds
	Below  []*node
	Search string // URL of a search for the value; empty: the index has none
	Open   bool   // shown unfolded
}

// parseTree reads an event's JSON, with members that occur twice. What exceeds the bounds
// is told instead of shown.
//
// at is when the event happened.
func parseTree(data []byte, at time.Time) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	t := &treeReader{decoder: d, left: maxNodes, at: at}
	root, err := t.value("", "", 0, false)
	if err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it is not JSON: something follows the value")
	}
	return root, nil
}

type treeReader struct {
	decoder *json.Decoder
	left    int // nodes that may still be shown
	at      time.Time
}

// value reads the next value. path is its dotted name in the index; gathered reports
// whether it is part of an array there.
func (t *treeReader) value(name, path string, depth int, gathered bool) (*node, error) {
	token, err := t.decoder.Token()
	if err != nil {
		return nil, err
	}
	t.left--
	n := &node{Name: name, Open: depth < 2}
	switch v := token.(type) {
	case json.Delim:
		return n, t.inside(n, v, path, depth, gathered)
	case string:
		n.Class, n.Text = "string", shorten(v)
	case json.Number:
		n.Class, n.Text = "number", v.String()
	case bool:
		n.Class, n.Text = "word", strconv.FormatBool(v)
	default:
		n.Class, n.Text = "word", "null"
		return n, nil
	}
	n.Search = t.search(path, token, gathered)
	return n, nil
}

// inside reads an object or array after its first delimiter.
func (t *treeReader) inside(n *node, open json.Delim, path string, depth int, gathered bool) error {
	n.Class = "object"
	if open == '[' {
		n.Class, gathered = "array", true
	}
	count := 0
	for ; t.decoder.More(); count++ {
		name, below := strconv.Itoa(count), path
		if n.Class == "object" {
			token, err := t.decoder.Token()
			if err != nil {
				return err
			}
			name, _ = token.(string)
			below = strings.TrimPrefix(path+"."+name, ".")
		}
		child, err := t.value(name, below, depth+1, gathered)
		if err != nil {
			return err
		}
		if t.left > 0 && depth < maxDepth {
			n.Below = append(n.Below, child)
		}
	}
	n.Text = strconv.Itoa(count)
	if hidden := count - len(n.Below); hidden > 0 {
		n.Below = append(n.Below, &node{Name: "…", Class: "word", Text: fmt.Sprintf("%d more in the exact bytes", hidden)})
	}
	_, err := t.decoder.Token()
	return err
}

// search returns the URL of a search for a value, unless it is too long to look for, or
// the index uses its name itself.
func (t *treeReader) search(path string, token json.Token, gathered bool) string {
	text := fmt.Sprint(token)
	top, _, nested := strings.Cut(path, ".")
	if text == "" || len(text) > 512 || !utf8.ValidString(text) || path == "" || !nested && ours(top) {
		return ""
	}
	query := exactly(path, text)
	if gathered {
		query = fieldName(path) + ":json_array_contains_any(" + strconv.Quote(text) + ")"
	}
	return searchURL(query, t.at)
}

// ours reports whether the index has a field of its own by a name.
func ours(name string) bool {
	switch name {
	case "instance", "seq", "stored", "origin", "flaw":
		return true
	}
	return strings.HasPrefix(name, "_")
}

func shorten(text string) string {
	if len(text) <= maxValue {
		return text
	}
	return strings.ToValidUTF8(text[:maxValue], "") + "…"
}

// piece is a part of a text: as it is, or bytes and characters that can't be seen, escaped.
type piece struct {
	Text    string
	Escaped bool
}

// pieces returns bytes as text in which nothing is invisible, and whether it was cut.
func pieces(data []byte) (all []piece, cut bool) {
	if len(data) > maxText {
		data, cut = data[:maxText], true
	}
	begin := 0
	flush := func(end int) {
		if end > begin {
			all = append(all, piece{Text: string(data[begin:end])})
		}
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if unicode.IsPrint(r) && (r != utf8.RuneError || size > 1) || r == '\n' || r == '\t' {
			i += size
			continue
		}
		flush(i)
		escaped := fmt.Sprintf(`\u{%x}`, r)
		if size == 1 {
			escaped = fmt.Sprintf(`\x%02x`, data[i])
		}
		all = append(all, piece{escaped, true})
		i += size
		begin = i
	}
	flush(len(data))
	return all, cut
}
