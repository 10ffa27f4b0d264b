package schemas

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Error lists everything that is wrong with a value, in one line.
type Error struct{ Complaints []Complaint }

// Complaint is one fault of a value.
type Complaint struct {
	Field   string // dotted path: settings.rate_share, target[0].id; empty: the value itself
	Problem string // what is wrong: "must be at most 1, got 3"
}

func (e *Error) Error() string {
	parts := make([]string, len(e.Complaints))
	for i, c := range e.Complaints {
		parts[i] = c.String()
	}
	return strings.Join(parts, "; ")
}

// String returns the field and the problem.
func (c Complaint) String() string {
	if c.Field == "" {
		return "the value " + c.Problem
	}
	return c.Field + ": " + c.Problem
}

// complaints returns the leaves of the library's error tree, by field.
func complaints(e *jsonschema.ValidationError) []Complaint {
	var all []Complaint
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			all = append(all, complain(e)...)
		}
		for _, cause := range e.Causes {
			walk(cause)
		}
	}
	walk(e)
	slices.SortFunc(all, func(a, b Complaint) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Problem, b.Problem))
	})
	return slices.Compact(all)
}

func complain(e *jsonschema.ValidationError) []Complaint {
	field := dotted(e.InstanceLocation)
	if missing, ok := e.ErrorKind.(*kind.Required); ok {
		all := make([]Complaint, len(missing.Missing))
		for i, name := range missing.Missing {
			all[i] = Complaint{strings.TrimPrefix(field+"."+name, "."), "is missing"}
		}
		return all
	}
	must, got := problem(e.ErrorKind)
	if got != "" && !secret(e.InstanceLocation) {
		must += ", got " + got
	}
	return []Complaint{{field, must}}
}

// secret reports whether a place may hold a credential.
func secret(at []string) bool { return len(at) > 0 && at[0] == "credentials" }

// dotted formats a path: target[0].id. All its names are in the schema.
func dotted(at []string) string {
	var b strings.Builder
	for _, step := range at {
		switch _, err := strconv.ParseUint(step, 10, 32); {
		case err == nil && b.Len() > 0:
			b.WriteString("[" + step + "]")
		case b.Len() > 0:
			b.WriteString("." + step)
		default:
			b.WriteString(step)
		}
	}
	return b.String()
}

// problem returns what a value must be and, where possible, what it is.
func problem(k jsonschema.ErrorKind) (must, got string) {
	switch k := k.(type) {
	case *kind.Type:
		return "must be " + spoken(k.Want), article[k.Got]
	case *kind.Enum:
		return "must be one of " + list(k.Want), show(k.Got)
	case *kind.Const:
		return "must be " + show(k.Want), show(k.Got)
	case *kind.Format:
		return "must be a " + strings.Replace(k.Want, "date-time", "time as in RFC 3339", 1), show(k.Got)
	case *kind.Pattern:
		return "must match " + k.Want, show(k.Got)
	case *kind.MinLength:
		return lengthAtLeast(k.Want), ""
	case *kind.MaxLength:
		return fmt.Sprintf("must be at most %d characters long", k.Want), strconv.Itoa(k.Got)
	}
	return bound(k)
}

// bound returns which bound a number violates.
func bound(k jsonschema.ErrorKind) (must, got string) {
	switch k := k.(type) {
	case *kind.Minimum:
		return "must be at least " + number(k.Want), number(k.Got)
	case *kind.Maximum:
		return "must be at most " + number(k.Want), number(k.Got)
	case *kind.ExclusiveMinimum:
		return "must be above " + number(k.Want), number(k.Got)
	case *kind.ExclusiveMaximum:
		return "must be below " + number(k.Want), number(k.Got)
	}
	return "does not fit its schema", ""
}

func lengthAtLeast(n int) string {
	if n == 1 {
		return "must not be empty"
	}
	return fmt.Sprintf("must be at least %d characters long", n)
}

var article = map[string]string{
	"string": "a string", "number": "a number", "integer": "a whole number", "boolean": "true or false",
	"object": "an object", "array": "a list", "null": "null",
}

func spoken(types []string) string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = cmp.Or(article[t], t)
	}
	return strings.Join(words, " or ")
}

func list(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = show(v)
	}
	return strings.Join(words, ", ")
}

// show formats a value: short, and on one line.
func show(v any) string {
	const most = 60
	s := fmt.Sprint(v)
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	if _, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return s
}

func number(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
