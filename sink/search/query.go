package search

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Query returns the LogsQL of what a user typed. It changes three things:
//
//   - A word or a phrase without a field, such as 203.0.113.7 or "Jane Doe", is looked for
//     in every field. In LogsQL it would be looked for in _msg alone; _msg:word does that.
//   - A word is quoted if LogsQL would refuse it, such as alice@example.com, or read a part
//     of it as a field or a comment: 2001:db8::1, 10:15:30, https://acme.okta.com/, a#b.
//   - Nothing at all means everything.
//
// Everything else is as typed: a query whose filters name their fields and that VictoriaLogs
// reads is not changed. Pipes never are.
func Query(typed string) string { return rewrite(typed).String() }

// Piped reports whether what was typed has pipes, so that its rows need not be events.
func Piped(typed string) bool { return rewrite(typed).pipes }

// WithPipe returns what was typed with a pipe at its end, such as limit 5.
func WithPipe(typed, pipe string) string {
	text := strings.TrimRightFunc(typed, unicode.IsSpace)
	if text = strings.TrimSuffix(text, ";"); text == "" {
		text = "*"
	}
	return text + "\n| " + pipe // a comment may end the query
}

// rewriting is a query on its way from what was typed to LogsQL. It follows the grammar of
// LogsQL's filters as far as it needs to know what is a word.
type rewriting struct {
	in     string
	pos    int    // in in
	out    []byte // LogsQL
	origin []int  // for each byte of out, its place in in
	pipes  bool
}

func rewrite(typed string) *rewriting {
	w := &rewriting{in: typed}
	if strings.TrimSpace(typed) == "" {
		w.add("*")
		return w
	}
	w.space()
	if name := w.word(); strings.EqualFold(name, "options") && w.opens(len(name), "(") {
		w.copy(w.pos + len(name))
		w.copy(w.closing("(", ")"))
	}
	w.filters(false)
	w.pipes = w.peek() == '|'
	w.copy(len(w.in))
	return w
}

// String returns the LogsQL.
func (w *rewriting) String() string { return string(w.out) }

// place returns where in what was typed a place of the LogsQL stands.
func (w *rewriting) place(at int) int {
	if at < len(w.origin) {
		return w.origin[at]
	}
	return len(w.in)
}

// copy copies what was typed up to a place.
func (w *rewriting) copy(to int) {
	for ; w.pos < to; w.pos++ {
		w.out, w.origin = append(w.out, w.in[w.pos]), append(w.origin, w.pos)
	}
}

// add adds what was not typed.
func (w *rewriting) add(text string) {
	for i := range len(text) {
		w.out, w.origin = append(w.out, text[i]), append(w.origin, w.pos)
	}
}

// rest is what is left of what was typed.
func (w *rewriting) rest() string { return w.in[w.pos:] }

// peek returns the next byte; 0 at the end.
func (w *rewriting) peek() byte {
	if w.pos < len(w.in) {
		return w.in[w.pos]
	}
	return 0
}

// space copies white space and comments.
func (w *rewriting) space() {
	for w.pos < len(w.in) {
		r, size := utf8.DecodeRuneInString(w.rest())
		switch {
		case unicode.IsSpace(r):
			w.copy(w.pos + size)
		case r == '#':
			line := strings.IndexByte(w.rest(), '\n') + 1
			if line == 0 {
				line = len(w.rest())
			}
			w.copy(w.pos + line)
		default:
			return
		}
	}
}

// filters copies filters without a field, up to a pipe or the end, or, if inside a call, to
// the parenthesis that ends it.
func (w *rewriting) filters(inCall bool) {
	for depth := 0; ; {
		w.space()
		switch c := w.peek(); {
		case c == 0 || c == '|' || c == ')' && depth == 0 && inCall:
			return
		case c == '(':
			depth++
			w.copy(w.pos + 1)
		case c == ')':
			depth--
			w.copy(w.pos + 1)
		case c == '{':
			w.copy(w.closing("{", "}"))
		case w.operator():
			w.operand()
		case c == '!' || c == '-':
			w.copy(w.pos + 1)
		default:
			w.filter()
		}
	}
}

// filter copies a word or a phrase that has a field or none.
func (w *rewriting) filter() {
	length := w.quoted()
	if length == 0 {
		length = len(w.word())
	}
	text := w.rest()[:length]
	switch name := w.field(text); {
	case length == 0: // a quote that does not end
		w.copy(len(w.in))
	case name != "":
		w.copy(w.pos + len(name))
		w.space()
		w.copy(w.pos + 1)
		w.valueOf(name)
	case slices.Contains(keywords, strings.ToLower(text)):
		w.copy(w.pos + length)
	case isFunction(text) && w.opens(length, "(["):
		w.call(length)
	case text == ";" && strings.TrimSpace(w.rest()) == ";", text == "*", !w.apart():
		w.copy(w.pos + length)
	default:
		w.add("*:")
		w.operand()
	}
}

// field returns the field's name that a word or a phrase is, or begins with; empty if it
// has none, or if the whole word is a value, such as an address.
func (w *rewriting) field(text string) string {
	if w.quoted() > 0 {
		if w.opens(len(text), ":") {
			return text
		}
		return ""
	}
	name, _, found := strings.Cut(text, ":")
	bare := strings.TrimSuffix(name, "*")
	if name == "" || !found && !w.opens(len(name), ":") || bare != "" && !readable(bare) || isValue(text) {
		return ""
	}
	return name
}

// valueOf copies the value of a field.
func (w *rewriting) valueOf(name string) {
	if name == FieldTime {
		w.time()
		return
	}
	w.value()
}

// apart reports whether what comes next begins a filter, rather than adjoins one.
func (w *rewriting) apart() bool {
	before, size := utf8.DecodeLastRuneInString(w.in[:w.pos])
	return size == 0 || unicode.IsSpace(before) || strings.ContainsRune("(!-", before)
}

// value copies what follows a field's name and colon.
func (w *rewriting) value() {
	w.space()
	word := w.word()
	switch c := w.peek(); {
	case c == '(':
		w.group()
	case c == '{':
		w.copy(w.closing("{", "}"))
	case w.operator():
		w.operand()
	case c == '!' || c == '-':
		w.copy(w.pos + 1)
		w.value()
	case strings.EqualFold(word, "not"):
		w.copy(w.pos + len(word))
		w.value()
	case isFunction(word) && w.opens(len(word), "(["):
		w.call(len(word))
	default:
		w.operand()
	}
}

// group copies values in parentheses.
func (w *rewriting) group() {
	w.copy(w.pos + 1)
	for {
		w.space()
		switch word := w.word(); {
		case w.peek() == 0 || w.peek() == '|':
			return
		case w.peek() == ')':
			w.copy(w.pos + 1)
			return
		case slices.Contains(keywords, strings.ToLower(word)):
			w.copy(w.pos + len(word))
		default:
			before := w.pos
			if w.value(); w.pos == before {
				w.copy(w.pos + 1)
			}
		}
	}
}

// operator copies a comparison, if one comes next.
func (w *rewriting) operator() bool {
	for _, op := range []string{"!=", "!~", "=", "~", ">=", ">", "<=", "<"} {
		if strings.HasPrefix(w.rest(), op) {
			w.copy(w.pos + len(op))
			return true
		}
	}
	return false
}

// operand copies a word, quoted if need be, or a phrase, and a star at its end.
func (w *rewriting) operand() {
	w.space()
	length := w.quoted()
	if length > 0 {
		w.copy(w.pos + length)
		if w.peek() == '*' {
			w.copy(w.pos + 1)
		}
		return
	}
	if c := w.peek(); c == '"' || c == '`' { // one that does not end
		w.copy(len(w.in))
		return
	}
	word := w.word()
	if strings.TrimSpace(w.rest()[len(word):]) == "" && len(word) > 1 {
		word = strings.TrimSuffix(word, ";")
	}
	w.plain(word)
}

// plain copies a word that comes next, quoted if need be, with stars round it.
func (w *rewriting) plain(word string) {
	if strings.HasPrefix(word, "*") {
		w.copy(w.pos + 1)
		word = word[1:]
	}
	text := strings.TrimSuffix(word, "*")
	if text == "" || readable(text) && !isFunction(text) {
		w.copy(w.pos + len(word))
		return
	}
	quoted := strconv.Quote(text)
	if quoted == `"`+text+`"` {
		w.add(`"`)
		w.copy(w.pos + len(text))
		w.add(`"`)
	} else {
		w.add(quoted)
		w.pos += len(text)
	}
	w.copy(w.pos + len(word) - len(text))
}

// call copies a function's name and its arguments, or its subquery.
func (w *rewriting) call(name int) {
	w.copy(w.pos + name)
	w.space()
	end := w.closing("([", ")]")
	subquery := strings.ContainsRune(unquoted(w.in[w.pos:end]), '|')
	w.copy(min(w.pos+1, len(w.in)))
	if subquery {
		w.filters(true)
		w.copy(end)
		return
	}
	for {
		w.space()
		switch c, argument := w.peek(), w.argument(); {
		case c == 0:
			return
		case c == ')' || c == ']':
			w.copy(w.pos + 1)
			return
		case w.quoted() > 0:
			w.copy(w.pos + w.quoted())
		case c == '"' || c == '`': // one that does not end
			w.copy(len(w.in))
		case argument == "":
			w.copy(w.pos + 1)
		default:
			w.plain(argument)
		}
	}
}

// argument returns the argument of a function that comes next; empty: another thing comes.
func (w *rewriting) argument() string {
	word := w.word()
	if i := strings.IndexAny(word, ",]"); i >= 0 {
		return word[:i]
	}
	return word
}

// time copies the value of a filter for _time, and its offset.
func (w *rewriting) time() {
	w.space()
	w.operator()
	w.space()
	word := w.word()
	switch {
	case strings.ContainsRune("[(", rune(w.peek())) && w.peek() != 0:
		w.copy(w.closing("[(", "])"))
	case isFunction(word) && w.opens(len(word), "[("):
		w.copy(w.pos + len(word))
		w.copy(w.closing("[(", "])"))
	case offsetOf.MatchString(w.rest()):
	default:
		w.copy(w.pos + len(word))
	}
	if offset := offsetOf.FindString(w.rest()); offset != "" {
		w.copy(w.pos + len(offset))
	}
}

var offsetOf = regexp.MustCompile(`^(?i)\s*offset\s+[^\s()|]+`)
