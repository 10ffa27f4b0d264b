package search

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// QueryError is a query that VictoriaLogs refuses.
type QueryError struct {
	Query  string // as typed
	Offset int    // of the place that is wrong, in runes of Query; 0 too if none is known
	Text   string // what is wrong there, in VictoriaLogs' words
}

// Error implements error.
func (e *QueryError) Error() string { return e.Text }

// Complaint returns the error of a query that VictoriaLogs refused: with what was typed,
// not what Query made of it, and the body of the response with status 400.
//
// VictoriaLogs says how far it has read, not where: "…; context: [<at most 50 bytes>]".
// The place is the last token that it names, else the last one that it has read; the end if
// it lacks another one (v1.52.1, read 2026-11-28).
func Complaint(typed string, body []byte) *QueryError {
	w, text := rewrite(typed), strings.TrimSpace(string(body))
	e := &QueryError{Query: typed, Text: complaintText(text, w.String())}
	if strings.Contains(text, "; context: [") {
		e.Offset = utf8.RuneCountInString(typed[:w.place(wrongPlace(w.String(), text, e.Text))])
	}
	return e
}

// complaintText is the complaint without the query and the context.
func complaintText(body, query string) string {
	if _, rest, found := strings.Cut(body, "["+query); found { // and what was added to it
		if _, text, found := strings.Cut(rest, "]: "); found {
			body = text
		}
	}
	if i := strings.LastIndex(body, "; context: ["); i > 0 {
		body = body[:i]
	}
	return body
}

// wrongPlace returns where a query is wrong.
func wrongPlace(query, body, text string) int {
	read := readThrough(query, body)
	if read < 0 || read == len(query) && lacks(text) { // in what was added to the query, or at its end
		return len(query)
	}
	return wrongToken(query[:read], text)
}

// readThrough returns how much of a query VictoriaLogs had read; -1: more than the query.
func readThrough(query, body string) int {
	const most = 50 // bytes that VictoriaLogs shows
	at := len(query)
	for at >= 0 && !strings.Contains(body, "; context: ["+query[max(0, at-most):at]+"]") {
		at--
	}
	return at
}

// lacks reports whether a complaint says that the query ends too early: it names an empty
// token.
func lacks(text string) bool {
	return strings.Contains(text, `""`) || strings.Contains(text, "unexpected end of query") || strings.HasSuffix(text, "missing query")
}

// wrongToken returns where the token begins that a complaint names last, or the last one.
func wrongToken(query, text string) int {
	named := ""
	for text != "" {
		quoted := ""
		if text[0] == '"' {
			quoted = quotedPrefix(text)
		}
		if word, err := strconv.Unquote(quoted); err == nil && word != "" {
			named = word
		}
		text = text[max(1, len(quoted)):]
	}
	at := strings.LastIndex(query, named)
	if named == "" || at < 0 {
		return lastToken(query)
	}
	if before := query[:at]; before != strings.TrimRight(before, "\"`") {
		at--
	}
	return at
}

// lastToken returns where the last token of a query begins.
func lastToken(query string) int {
	query = strings.TrimRight(query, " \t\r\n")
	for at := 0; at < len(query); {
		quoted := quotedPrefix(query[at:])
		if quoted != "" && at+len(quoted) == len(query) {
			return at
		}
		at += max(1, len(quoted))
	}
	word := strings.TrimRightFunc(query, wordRune)
	if word == query {
		_, size := utf8.DecodeLastRuneInString(query)
		return len(query) - size
	}
	return len(word)
}
