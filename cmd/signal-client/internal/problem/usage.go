package problem

import (
	"errors"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
)

// Usage returns the problem of a setting with a readable but invalid value.
func Usage(setting, cause, try string) error {
	return &Error{Op: setting, Err: errors.New(cause), Hint: try, Code: BadUsage}
}

// Checks collects problems.
type Checks struct{ Errs []error }

// Add adds the problem if bad is true.
func (c *Checks) Add(bad bool, setting, cause, try string) {
	if bad {
		c.Errs = append(c.Errs, Usage(setting, cause, try))
	}
}

// Complaints returns a problem for each field that an integration's error names. label
// turns a field into what the user calls it. It returns nil for any other error.
func Complaints(err error, label func(field string) string) []error {
	wrongs, ok := errors.AsType[*pipeline.ConfigError](err)
	if !ok {
		return nil
	}
	var errs []error
	for _, c := range wrongs.Complaints {
		cause, try, _ := strings.Cut(strings.TrimSuffix(c.Problem, ")"), " (")
		errs = append(errs, Usage(label(c.Field), "it "+cause, try))
	}
	return errs
}

// Nearest returns the candidate with the fewest edits from word; empty: none is near enough.
func Nearest(word string, candidates []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := edits(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// edits returns the Levenshtein distance of two words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
