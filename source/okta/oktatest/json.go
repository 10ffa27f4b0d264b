package oktatest

import (
	"strconv"
	"unicode/utf8"
)

// object is a JSON object whose members keep their order, and whose numbers keep their
// digits, because Okta's bytes differ from those of Go's encoder.
type object []member

type member struct {
	name  string
	value any // nil, bool, int, string, number, object or array
}

type array []any

// number is a JSON number as written, such as 37.3500.
type number string

func (o *object) set(name string, value any) { *o = append(*o, member{name, value}) }

// appendJSON appends a value in compact form. escape writes non-ASCII characters as \u
// sequences.
func appendJSON(dst []byte, value any, escape bool) []byte {
	switch v := value.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case number:
		return append(dst, v...)
	case string:
		return appendString(dst, v, escape)
	case object:
		return appendObject(dst, v, escape)
	case array:
		dst = append(dst, '[')
		for i, element := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, element, escape)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}

func appendObject(dst []byte, o object, escape bool) []byte {
	if o == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i, m := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.name, escape), ':')
		dst = appendJSON(dst, m.value, escape)
	}
	return append(dst, '}')
}

// appendString appends a string as Okta's encoder does, without escaping <, > and &.
// Texts are valid UTF-8 of the basic plane.
func appendString(dst []byte, s string, escape bool) []byte {
	const hex = "0123456789ABCDEF"
	dst = append(dst, '"')
	from := 0
	for i, r := range s {
		if r >= ' ' && r <= '~' && r != '"' && r != '\\' || r > '~' && !escape {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + utf8.RuneLen(r)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}
