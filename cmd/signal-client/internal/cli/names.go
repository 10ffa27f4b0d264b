package cli

import (
	"path"
	"slices"
	"strings"
)

// NameList is a flag that takes names and patterns: repeated, or separated by commas. A
// comma before a space belongs to the name, as in "Doe, Jane", and so does every comma
// within double quotes around the whole name.
type NameList []string

// Type returns the type shown in help.
func (l *NameList) Type() string { return "names" }

// Set adds the names in a text.
func (l *NameList) Set(text string) error {
	for more := true; more; {
		var name string
		name, text, more = cutName(text)
		*l = append(*l, name)
	}
	return nil
}

// String returns the list as Set takes it.
func (l *NameList) String() string {
	words := make([]string, len(*l))
	for i, name := range *l {
		if first, _, more := cutName(name); more || first != name {
			name = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
		words[i] = name
	}
	return strings.Join(words, ",")
}

// cutName separates the first name from the rest.
func cutName(text string) (name, rest string, more bool) {
	if name, rest, more, ok := cutQuoted(text); ok {
		return name, rest, more
	}
	for i := 0; i < len(text); i++ {
		if text[i] == ',' && !strings.HasPrefix(text[i+1:], " ") {
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// cutQuoted is cutName for a quoted name, in which two quotes stand for one.
func cutQuoted(text string) (name, rest string, more, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", false, false
	}
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] != '"':
		case strings.HasPrefix(text[i+1:], `"`):
			i++
		case i+1 == len(text) || text[i+1] == ',':
			rest, more := strings.CutPrefix(text[i+1:], ",")
			return strings.ReplaceAll(text[1:i], `""`, `"`), rest, more, true
		default:
			return "", "", false, false
		}
	}
	return "", "", false, false
}

// AnyOf reports whether the list contains or matches one of the names, ignoring case. An
// empty list matches every name; an empty name matches nothing else.
func (l NameList) AnyOf(names ...string) bool {
	return len(l) == 0 || slices.ContainsFunc(names, func(name string) bool {
		return name != "" && slices.ContainsFunc(l, func(wanted string) bool {
			return strings.EqualFold(wanted, name) || Matches([]string{strings.ToLower(wanted)}, strings.ToLower(name))
		})
	})
}

// Matches reports whether a pattern matches the text, in which a slash is nothing special.
func Matches(patterns []string, text string) bool {
	text = strings.ReplaceAll(text, "/", "\x00")
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(strings.ReplaceAll(p, "/", "\x00"), text)
		return ok && err == nil
	})
}
