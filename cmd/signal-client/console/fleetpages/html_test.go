package fleetpages

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// document is a node of a parsed page, with the accessible names that its elements have.
type document struct{ *html.Node }

func parse(t *testing.T, body string) document {
	t.Helper()
	n, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return document{n}
}

// each calls found with each element below.
func (d document) each(found func(document)) {
	for n := range d.Descendants() {
		if n.Type == html.ElementNode {
			found(document{n})
		}
	}
}

func (d document) find(want func(document) bool) *document {
	var first *document
	d.each(func(n document) {
		if first == nil && want(n) {
			first = &n
		}
	})
	return first
}

func (d document) attr(name string) string {
	i := slices.IndexFunc(d.Attr, func(a html.Attribute) bool { return a.Key == name })
	if i < 0 {
		return ""
	}
	return d.Attr[i].Val
}

func (d document) has(name string) bool {
	return slices.ContainsFunc(d.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func (d document) within(tag string) bool {
	for n := range d.Ancestors() {
		if n.Data == tag {
			return true
		}
	}
	return false
}

func (d document) text() string {
	var b strings.Builder
	for n := range d.Descendants() {
		if n.Type == html.TextNode && !(document{n}).within("template") {
			b.WriteString(n.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (d document) headings(level int) []string {
	var all []string
	d.each(func(n document) {
		if n.Data == map[int]string{1: "h1", 2: "h2"}[level] {
			all = append(all, n.text())
		}
	})
	return all
}

// role of an element, explicit or its own; empty: none that matters here.
func (d document) role() string {
	if r := d.attr("role"); r != "" {
		return r
	}
	switch d.Data {
	case "a":
		return "link"
	case "article", "button":
		return d.Data
	case "ul", "ol":
		return "list"
	case "textarea":
		return "textbox"
	case "input":
		switch d.attr("type") {
		case "checkbox":
			return "checkbox"
		case "search":
			return "searchbox"
		case "number":
			return "spinbutton"
		case "", "password":
			return "textbox"
		}
	}
	return ""
}

// name of an element: what labels it, else its text.
func (d document) name(page document) string {
	byID := func(id string) string {
		if n := page.find(func(n document) bool { return n.attr("id") == id }); n != nil {
			return n.text()
		}
		return ""
	}
	if ids := d.attr("aria-labelledby"); ids != "" {
		var parts []string
		for id := range strings.FieldsSeq(ids) {
			parts = append(parts, byID(id))
		}
		return strings.Join(parts, " ")
	}
	if label := d.attr("aria-label"); label != "" {
		return label
	}
	if label := page.find(func(n document) bool { return n.Data == "label" && n.attr("for") == d.attr("id") && d.has("id") }); label != nil {
		return label.text()
	}
	return d.text()
}

// shown reports whether an element is neither in a template nor in a dialog, which is
// closed at first.
func (d document) shown() bool { return !d.within("template") && !d.within("dialog") }

// names counts the elements that are shown by role and name.
func (d document) names() map[string]int {
	all := map[string]int{}
	d.each(func(n document) {
		if r := n.role(); r != "" && n.shown() {
			all[r+" "+n.name(d)]++
		}
	})
	return all
}

func (d document) named(role, name string) *document {
	return d.find(func(n document) bool { return n.role() == role && n.name(d) == name && n.shown() })
}
