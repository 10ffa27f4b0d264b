package oktatest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// operators compare an event's value with a filter's; nil is pr, which compares nothing.
var operators = map[string]func(have, want string) bool{
	"eq": strings.EqualFold,
	"ne": func(have, want string) bool { return !strings.EqualFold(have, want) },
	"co": func(have, want string) bool { return strings.Contains(strings.ToLower(have), strings.ToLower(want)) },
	"sw": func(have, want string) bool { return strings.HasPrefix(strings.ToLower(have), strings.ToLower(want)) },
	"ew": func(have, want string) bool { return strings.HasSuffix(strings.ToLower(have), strings.ToLower(want)) },
	"gt": func(have, want string) bool { return have > want },
	"ge": func(have, want string) bool { return have >= want },
	"lt": func(have, want string) bool { return have < want },
	"le": func(have, want string) bool { return have <= want },
	"pr": nil,
}

// noContains are fields that do not support co.
var noContains = []string{"debugContext.debugData.url", "debugContext.debugData.requestUri"}

// fields are the first parts of fields that a filter may name; published is not one of
// them.
var fields = []string{"actor", "authenticationContext", "client", "debugContext", "device", "displayMessage", "eventType",
	"legacyEventType", "outcome", "request", "securityContext", "severity", "target", "transaction", "uuid", "version"}

func knownField(path string) bool {
	first, _, _ := strings.Cut(path, ".")
	return slices.Contains(fields, first)
}

// decoded returns the event's members; empty if it is not an object.
func (r *record) decoded() map[string]any {
	if m := r.fields.Load(); m != nil {
		return *m
	}
	m := make(map[string]any)
	_ = json.Unmarshal(r.Data, &m)
	r.fields.Store(&m)
	return m
}

// anyAt reports whether ok holds for any text, number or bool at a path, in any element
// of arrays.
func anyAt(v any, path []string, ok func(string) bool) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(path) > 0 && anyAt(v[path[0]], path[1:], ok)
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return anyAt(e, path, ok) })
	case string:
		return len(path) == 0 && ok(v)
	case float64:
		return len(path) == 0 && ok(strconv.FormatFloat(v, 'f', -1, 64))
	case bool:
		return len(path) == 0 && ok(strconv.FormatBool(v))
	}
	return false
}

const (
	maxKeywords      = 10
	maxKeywordLength = 40
)

// parseKeywords parses q: whole words that must all be in the event, ignoring case. An
// empty q returns nil.
func parseKeywords(q string) (func(*record) bool, *apiError) {
	words := strings.Fields(strings.ToLower(q))
	if len(words) == 0 {
		return nil, nil
	}
	if len(words) > maxKeywords {
		return nil, invalid("q", "Freeform search cannot contain more than 10 items.")
	}
	for _, w := range words {
		if len(w) > maxKeywordLength {
			return nil, invalid("q", "Freeform search cannot contain items longer than 40 characters.")
		}
	}
	return func(r *record) bool {
		have := keywordsOf(r.Data)
		return !slices.ContainsFunc(words, func(w string) bool { return !have[w] })
	}, nil
}

// keywordsOf returns the words in an event's bytes: separated by spaces and quotes, and
// the parts of hyphenated ones.
func keywordsOf(data []byte) map[string]bool {
	have := make(map[string]bool)
	split := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"{}[]:,`, r) }
	for _, w := range strings.FieldsFunc(strings.ToLower(string(data)), split) {
		have[w] = true
		for part := range strings.SplitSeq(w, "-") {
			have[part] = true
		}
	}
	return have
}
