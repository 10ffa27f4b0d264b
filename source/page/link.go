package page

import (
	"iter"
	"strings"
)

// Links yields the target and the relation types of every link in the values of a Link header
// (RFC 8288): several values or one joined, commas and semicolons within <…> and quotes, tokens
// bare or quoted. Of a malformed value it yields what comes before the fault.
func Links(values []string) iter.Seq2[string, string] {
	return func(yield func(target, rel string) bool) {
		for _, value := range values {
			for rest := value; ; {
				rest = strings.TrimLeft(rest, " \t,")
				after, ok := strings.CutPrefix(rest, "<")
				if !ok {
					break
				}
				target, after, ok := strings.Cut(after, ">")
				if !ok {
					break
				}
				var rel string
				rel, rest = linkParams(after)
				if !yield(target, rel) {
					return
				}
			}
		}
	}
}

// linkParams reads the parameters after a link's target. It returns the first rel among
// them, and what follows the link.
func linkParams(s string) (rel, rest string) {
	found := false
	for {
		s = trim(s)
		after, ok := strings.CutPrefix(s, ";")
		if !ok {
			return rel, skipLink(s)
		}
		var name, value string
		name, value, s = linkParam(after)
		if !found && strings.EqualFold(name, "rel") {
			rel, found = value, true
		}
	}
}

// linkParam reads one parameter: a name, with or without a value.
func linkParam(s string) (name, value, rest string) {
	s = trim(s)
	end := strings.IndexAny(s, "=;, \t")
	if end < 0 {
		return s, "", ""
	}
	name = s[:end]
	after, ok := strings.CutPrefix(trim(s[end:]), "=")
	if !ok {
		return name, "", s[end:]
	}
	if quoted, ok := strings.CutPrefix(trim(after), `"`); ok {
		value, rest = unquote(quoted)
		return name, value, rest
	}
	after = trim(after)
	end = strings.IndexAny(after, ";, \t")
	if end < 0 {
		return name, after, ""
	}
	return name, after[:end], after[end:]
}

// unquote reads a quoted string after its opening quote.
func unquote(s string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// skipLink skips anything unexpected between a link and the next comma.
func skipLink(s string) string {
	_, rest, _ := strings.Cut(s, ",")
	return rest
}

func trim(s string) string { return strings.TrimLeft(s, " \t") }

// HasRel reports whether a list of relation types contains one.
func HasRel(rels, want string) bool {
	for rel := range strings.FieldsSeq(rels) {
		if strings.EqualFold(rel, want) {
			return true
		}
	}
	return false
}
