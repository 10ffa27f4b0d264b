package oktatest

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// query is a parsed request for a page.
type query struct {
	since, until time.Time // until: zero when polling
	after        string
	limit        int
	descending   bool
	match        func(*record) bool // nil: everything
	raw          map[string]string  // parameters as sent, still encoded
}

// polling reports whether the request follows the order of persistence.
func (q query) polling() bool { return q.until.IsZero() && !q.descending }

// parseQuery parses a request as Okta does: unknown parameters are ignored, empty ones
// count as absent.
func parseQuery(rawQuery string, now time.Time) (query, *apiError) {
	q := query{limit: defaultLimit, raw: make(map[string]string)}
	values := make(map[string]string)
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil {
			return q, invalid(name, "must be a valid value.")
		}
		if plain != "" {
			values[name], q.raw[name] = plain, value
		}
	}
	if err := q.readTimes(values, now); err != nil {
		return q, err
	}
	if err := q.readLimit(values["limit"]); err != nil {
		return q, err
	}
	switch values["sortOrder"] {
	case "", "ASCENDING":
	case "DESCENDING":
		q.descending = true
	default:
		return q, invalid("sortOrder", "must be a valid value.")
	}
	q.after = values["after"]
	return q, q.readConditions(values["filter"], values["q"])
}

func (q *query) readTimes(values map[string]string, now time.Time) *apiError {
	var err *apiError
	if q.until, err = readTime("until", values["until"]); err != nil {
		return err
	}
	if q.since, err = readTime("since", values["since"]); err != nil {
		return err
	}
	if q.since.IsZero() {
		end := now
		if !q.until.IsZero() {
			end = q.until
		}
		q.since = end.Add(-defaultSince)
		return nil
	}
	if q.since.Before(now.Add(-Refusal)) {
		return badParameter("Invalid parameter: The since parameter is over 180 days prior to the current day.")
	}
	return nil
}

// readTime parses an optional time. Okta accepts RFC 3339 and ISO 8601, so also a zone
// without a colon, and a date alone.
func readTime(name, value string) (time.Time, *apiError) {
	if value == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", time.DateOnly} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, invalid(name, "The date format in your query is not recognized. "+
		"Please enter dates using ISO8601 string format.")
}

func (q *query) readLimit(value string) *apiError {
	if value == "" {
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > maxLimit {
		return invalid("limit", "must be between 0 and 1000.")
	}
	q.limit = n
	return nil
}

func (q *query) readConditions(filter, keywords string) *apiError {
	byFilter, err := parseFilter(filter)
	if err != nil {
		return err
	}
	byKeywords, err := parseKeywords(keywords)
	if err != nil {
		return err
	}
	switch {
	case byFilter == nil:
		q.match = byKeywords
	case byKeywords == nil:
		q.match = byFilter
	default:
		q.match = func(r *record) bool { return byFilter(r) && byKeywords(r) }
	}
	return nil
}
