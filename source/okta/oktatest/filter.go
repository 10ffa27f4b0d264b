package oktatest

import (
	"fmt"
	"slices"
	"strings"
)

// matcher decides whether an event matches a query.
type matcher func(*record) bool

// parseFilter parses a SCIM filter as far as Okta supports it: comparisons joined by and,
// or, not and parentheses. An empty filter returns nil.
func parseFilter(filter string) (func(*record) bool, *apiError) {
	if filter == "" {
		return nil, nil
	}
	p := &filterParser{text: filter, words: filterWords(filter)}
	m, err := p.or()
	if err == nil && len(p.words) > 0 {
		err = p.wrong("Unexpected token '" + p.words[0].text + "'")
	}
	return m, err
}

type filterParser struct {
	text  string
	words []word
}

func (p *filterParser) wrong(complaint string) *apiError {
	at := len(p.text)
	if len(p.words) > 0 {
		at = p.words[0].at
	}
	return badParameter(fmt.Sprintf("Invalid filter '%s': %s at position %d. Expected: eq,co,sw,pr,gt,ge,lt,le", p.text, complaint, at))
}

// take consumes the next word if it is text.
func (p *filterParser) take(text string) bool {
	if len(p.words) == 0 || p.words[0].quoted || !strings.EqualFold(p.words[0].text, text) {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *filterParser) or() (matcher, *apiError) {
	left, err := p.and()
	for err == nil && p.take("or") {
		var right matcher
		before := left
		right, err = p.and()
		left = func(r *record) bool { return before(r) || right(r) }
	}
	return left, err
}

func (p *filterParser) and() (matcher, *apiError) {
	left, err := p.term()
	for err == nil && p.take("and") {
		var right matcher
		before := left
		right, err = p.term()
		left = func(r *record) bool { return before(r) && right(r) }
	}
	return left, err
}

func (p *filterParser) term() (matcher, *apiError) {
	if p.take("not") {
		m, err := p.term()
		return func(r *record) bool { return !m(r) }, err
	}
	if !p.take("(") {
		return p.comparison()
	}
	m, err := p.or()
	if err == nil && !p.take(")") {
		err = p.wrong("Unclosed parenthesis")
	}
	return m, err
}

// comparison parses field, operator and value.
func (p *filterParser) comparison() (matcher, *apiError) {
	if len(p.words) < 2 {
		return nil, p.wrong("Unexpected end of filter")
	}
	field, operator := p.words[0], p.words[1]
	if !knownField(field.text) {
		return nil, badParameter("field is not valid: " + field.text)
	}
	p.words = p.words[1:]
	op, ok := operators[strings.ToLower(operator.text)]
	if !ok {
		return nil, p.wrong("Unrecognized attribute operator '" + operator.text + "'")
	}
	if strings.EqualFold(operator.text, "co") && slices.Contains(noContains, field.text) {
		return nil, unsupported("co", field.text)
	}
	p.words = p.words[1:]
	path := strings.Split(field.text, ".")
	if op == nil { // pr
		return func(r *record) bool { return anyAt(r.decoded(), path, func(string) bool { return true }) }, nil
	}
	if len(p.words) == 0 {
		return nil, p.wrong("Missing value")
	}
	value := p.words[0].text
	p.words = p.words[1:]
	return func(r *record) bool {
		return anyAt(r.decoded(), path, func(have string) bool { return op(have, value) })
	}, nil
}

// word is a word of a filter, without its quotes.
type word struct {
	text   string
	at     int
	quoted bool
}

func filterWords(text string) []word {
	var words []word
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ':
			i++
		case c == '(' || c == ')':
			words = append(words, word{text: string(c), at: i})
			i++
		case c == '"':
			value, n := quotedWord(text[i:])
			words = append(words, word{text: value, at: i, quoted: true})
			i += n
		default:
			n := strings.IndexAny(text[i:], ` ()"`)
			if n < 0 {
				n = len(text) - i
			}
			words = append(words, word{text: text[i : i+n], at: i})
			i += n
		}
	}
	return words
}

// quotedWord returns a quoted text and its length with the quotes.
func quotedWord(text string) (string, int) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case text[i] == '"':
			return b.String(), i + 1
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), len(text)
}
