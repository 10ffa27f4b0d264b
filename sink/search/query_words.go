package search

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// word returns the word that comes next: up to white space, a quotation mark, a
// parenthesis or a pipe; the brackets of a range end its name. Empty: another thing comes.
func (w *rewriting) word() string {
	rest := w.rest()
	for i, r := range rest {
		if unicode.IsSpace(r) || strings.ContainsRune("\"`()|", r) || i == 0 && r == '\'' && w.quoted() > 0 || r == '[' && isFunction(rest[:i]) {
			return rest[:i]
		}
	}
	return rest
}

// quoted returns the length of the quoted phrase that comes next; 0: none.
func (w *rewriting) quoted() int { return len(quotedPrefix(w.rest())) }

// quotedPrefix returns the phrase in double, single or back quotes that a text begins
// with.
func quotedPrefix(text string) string {
	if text == "" || !strings.ContainsRune("\"`'", rune(text[0])) {
		return ""
	}
	if text[0] != '\'' {
		prefix, _ := strconv.QuotedPrefix(text)
		return prefix
	}
	for at := 1; at < len(text); {
		if text[at] == '\'' {
			return text[:at+1]
		}
		_, _, tail, err := strconv.UnquoteChar(text[at:], '\'')
		if err != nil {
			return ""
		}
		at = len(text) - len(tail)
	}
	return ""
}

// opens reports whether, after a word and white space, one of the brackets comes.
func (w *rewriting) opens(word int, brackets string) bool {
	rest := strings.TrimLeftFunc(w.rest()[word:], unicode.IsSpace)
	return word > 0 && rest != "" && strings.IndexByte(brackets, rest[0]) >= 0
}

// closing returns the place behind the bracket that closes the one that comes next; the
// end if none does.
func (w *rewriting) closing(opening, closing string) int {
	depth := 0
	for at := w.pos; at < len(w.in); {
		if quoted := quotedPrefix(w.in[at:]); quoted != "" {
			at += len(quoted)
			continue
		}
		switch c := w.in[at]; {
		case strings.IndexByte(opening, c) >= 0:
			depth++
		case strings.IndexByte(closing, c) >= 0:
			depth--
		}
		at++
		if depth == 0 {
			return at
		}
	}
	return len(w.in)
}

// unquoted returns a text without its quoted phrases.
func unquoted(text string) string {
	var b strings.Builder
	for text != "" {
		if quoted := quotedPrefix(text); quoted != "" {
			text = text[len(quoted):]
			continue
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}

// keywords stand between filters.
var keywords = []string{"and", "or", "not"}

// functions are LogsQL's, by which a word before a parenthesis is told from another.
var functions = strings.Fields(`contains_all contains_any contains_common_case day_range eq_field equals_common_case exact i in
	ipv4_range ipv6_range json_array_contains_any le_field len_range lt_field pattern_match pattern_match_full
	pattern_match_prefix pattern_match_suffix range re seq string_range value_type week_range`)

func isFunction(word string) bool { return slices.Contains(functions, strings.ToLower(word)) }

// readable reports whether LogsQL reads a word without quotation marks.
func readable(word string) bool {
	for _, r := range word {
		if !wordRune(r) && !strings.ContainsRune(glue, r) {
			return false
		}
	}
	return len(word) > 1 || !strings.Contains(glue, word)
}

// glue are the characters that LogsQL allows within a word.
const glue = "+-/:.$"

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// isValue reports whether a word with a colon is a value.
func isValue(word string) bool {
	_, err := netip.ParsePrefix(word)
	return err == nil || isAddress(word) || colons.MatchString(word)
}

func isAddress(word string) bool {
	if _, err := netip.ParseAddrPort(word); err == nil {
		return true
	}
	_, err := netip.ParseAddr(word)
	return err == nil
}

// colons matches values with a colon: URLs, times, and addresses of network cards.
var colons = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9+.-]*://|\d{1,2}:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d|[[:xdigit:]]{2}(?::[[:xdigit:]]{2}){5}$)`)
