package signalpages

import (
	"strconv"
	"strings"
)

// exactly returns the LogsQL filter for events whose field has a value.
func exactly(field, value string) string { return fieldName(field) + ":=" + strconv.Quote(value) }

// fieldName quotes a field's name where LogsQL needs it.
func fieldName(name string) string {
	plain := func(r rune) bool {
		return r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if name != "" && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return strconv.Quote(name)
}
