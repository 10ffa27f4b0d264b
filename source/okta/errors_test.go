package okta

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/witfoo/signal-client/pipeline"
)

const cursorLink = "/api/v1/logs?since=2026-01-01T00%3A00%3A00.000Z&limit=999&filter=eventType+eq+%22x%22&after=1627500044869_1"

func TestErrorKinds(t *testing.T) {
	body := func(code, summary string, causes ...string) string {
		all := make([]string, len(causes))
		for i, cause := range causes {
			all[i] = `{"errorSummary":"` + cause + `"}`
		}
		return `{"errorCode":"` + code + `","errorSummary":"` + summary + `","errorId":"oae1","errorCauses":[` + strings.Join(all, ",") + `]}`
	}
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   error
	}{
		{"until", 400, body("E0000001", "Api validation failed: 'until': The date format in your query is not recognized."), pipeline.ErrLink},
		{"q", 400, body("E0000001", "Api validation failed: 'q': Freeform search cannot contain items longer than 40 characters."), pipeline.ErrLink},
		{"limit", 400, body("E0000001", "Api validation failed: 'limit': must be between 0 and 1000."), pipeline.ErrConfig},
		{"after", 400, body("E0000001", "API validation failed: 'after': must be a valid value."), pipeline.ErrCursor},
		{"after in a cause", 400, body("E0000001", "Api validation failed", "'after': must be a valid value."), pipeline.ErrCursor},
		{"after as a word", 400, body("E0000053", "Invalid parameter: The after parameter is too old."), pipeline.ErrCursor},
		{"after and since", 400, body("E0000001", "Api validation failed", "'after': bad", "'since': bad"), pipeline.ErrCursor},
		{"after without quotes", 400, body("E0000001", "Invalid value for after"), pipeline.ErrLink},
		{"a valid value", 400, body("E0000001", "must be a valid value."), pipeline.ErrLink},
		{"since too old", 400, body("E0000053", "Invalid parameter: The since parameter is over 180 days prior to the current day."), pipeline.ErrCursor},
		{"filter", 400, body("E0000053", "Invalid filter 'eventType eqq 'after'': Unrecognized attribute operator"), pipeline.ErrConfig},
		{"until must be after", 400, body("E0000001", "until must be after since"), pipeline.ErrLink},
		{"field", 400, body("E0000053", "field is not valid: some_invalid_field"), pipeline.ErrLink},
		{"no body", 400, "", pipeline.ErrLink},
		{"HTML", 400, "<html><title>400 Bad Request</title></html>", pipeline.ErrLink},
		{"gone", 410, "", pipeline.ErrLink},
		{"token", 401, body("E0000011", "Invalid token provided"), pipeline.ErrCredential},
		{"role", 403, body("E0000006", "You do not have permission"), pipeline.ErrCredential},
		{"zone", 403, "<html><title>Blocked</title></html>", pipeline.ErrCredential},
		{"path", 404, body("E0000007", "Not found"), pipeline.ErrLink},
		{"method", 405, body("E0000022", "The endpoint does not support the provided HTTP method"), pipeline.ErrLink},
		{"request timeout", 408, "", nil},
		{"rate", 429, body("E0000047", "API call exceeded rate limit due to too many requests."), pipeline.ErrThrottled},
		{"rate with a cursor's text", 429, body("E0000001", "'after': must be a valid value."), pipeline.ErrThrottled},
		{"fault with a filter's code", 500, body("E0000053", "Sorry, there's been an error."), nil},
		{"fault that blames after", 500, body("E0000001", "'after': must be a valid value."), nil},
		{"apology", 503, "<html><title>We are sorry</title></html>", nil},
		{"redirect", 302, "", nil},
		{"other success", 204, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := decodeError(test.status, http.Header{}, []byte(test.body))
			e.Kind = kind(e, cursorLink)
			for _, sentinel := range []error{pipeline.ErrThrottled, pipeline.ErrCredential, pipeline.ErrCursor, pipeline.ErrLink, pipeline.ErrConfig} {
				if errors.Is(e, sentinel) != (sentinel == test.want) {
					t.Errorf("%q matches %q: %v", e, sentinel, errors.Is(e, sentinel))
				}
			}
		})
	}
}

// A value that the link does not have can't have been refused, and a link of our own
// making has no cursor.
func TestRefusedParameters(t *testing.T) {
	for _, test := range []struct {
		name, link, summary string
		want                error
	}{
		{"no cursor", "?limit=5", "'after': must be a valid value.", pipeline.ErrConfig},
		{"a new query", "?since=2026-01-01T00%3A00%3A00.000Z&limit=5", "", pipeline.ErrConfig},
		{"a new query's filter", "?since=2026-01-01T00%3A00%3A00.000Z&filter=x", "Invalid filter 'x'", pipeline.ErrConfig},
		{"a new query's since", "?since=2026-01-01T00%3A00%3A00.000Z", "The since parameter is over 180 days prior to the current day.", pipeline.ErrCursor},
		{"a filter that is not there", "?after=1", "Invalid filter 'x'", pipeline.ErrLink},
		{"a limit that is not there", "?after=1", "'limit': must be between 0 and 1000.", pipeline.ErrLink},
		{"a window's since", "?since=2026-01-01T00%3A00%3A00.000Z&until=2026-02-01T00%3A00%3A00.000Z", "'since': bad", pipeline.ErrConfig},
		{"a window's cursor", "?since=2026-01-01T00%3A00%3A00.000Z&until=2026-02-01T00%3A00%3A00.000Z&after=1", "", pipeline.ErrCursor},
	} {
		e := &Error{Status: 400, Summary: test.summary}
		if got := kind(e, pipeline.Link(logsPath+test.link)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, test := range []struct {
		name, want string
		status     int
		header     http.Header
		body       string
	}{
		{"whole", "status 401 E0000011: Invalid token provided, error id oae7, request id req-1", 401,
			http.Header{"X-Okta-Request-Id": {"req-1"}},
			`{"errorCode":"E0000011","errorSummary":"Invalid token provided","errorLink":"E0000011","errorId":"oae7","errorCauses":[]}`},
		{"causes", "status 400 E0000001: Api validation failed: 'a'; 'b'", 400, nil,
			`{"errorCode":"E0000001","errorSummary":"Api validation failed","errorCauses":[{"errorSummary":"'a'"},{},7,{"errorSummary":"'b'"}]}`},
		{"empty", "status 503: Service Unavailable", 503, nil, ""},
		{"HTML", "status 502: Bad gateway of example", 502, nil, "<html><head><title>Bad gateway\n of example</title>"},
		{"HTML without a title", "status 502: Bad Gateway", 502, nil, "<html>"},
		{"text", "status 503: upstream connect error", 503, nil, "upstream connect error\r\n"},
		{"wrong types", "status 500: Internal Server Error", 500, nil, `{"errorCode":7,"errorSummary":null,"errorId":[],"errorCauses":{}}`},
		{"an array", "status 500: []", 500, nil, `[]`},
		{"redirect", "status 302: redirect to evil.example.com not followed; is the fqdn right?", 302,
			http.Header{"Location": {"https://evil.example.com/x?y"}}, ""},
		{"redirect nowhere", "status 302: redirect to nowhere not followed; is the fqdn right?", 302, nil, ""},
		{"control characters", "status 500: a [31mb", 500, nil, "{\"errorSummary\":\"a\\u001b[31mb\\u0000\"}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := decodeError(test.status, test.header, []byte(test.body)).Error(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestErrorRetryAfter(t *testing.T) {
	date := time.Date(2026, 8, 21, 8, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"30": 30 * time.Second, "": 0, "-1": 0, "soon": 0,
		date.Add(time.Minute).Format(http.TimeFormat): time.Minute,
		date.Add(-time.Hour).Format(http.TimeFormat):  0,
	} {
		h := http.Header{"Retry-After": {value}, "Date": {date.Format(http.TimeFormat)}}
		if got := decodeError(503, h, nil).RetryAfter; got != want {
			t.Errorf("Retry-After %q: %s, want %s", value, got, want)
		}
	}
}

// Any answer of an org or a proxy becomes one readable line of bounded length.
func FuzzError(f *testing.F) {
	for _, seed := range []string{
		`{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit","errorId":"oae","errorCauses":[{"errorSummary":"x"}]}`,
		"<html><title>x</title>", "", "null", `{"errorCauses":[null,{"errorSummary":{}}]}`, "\xff\x00\u2028", strings.Repeat("ü", 400),
	} {
		f.Add(400, []byte(seed), "req-1", "https://evil/")
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, id, location string) {
		e := decodeError(status, http.Header{"X-Okta-Request-Id": {id}, "Location": {location}}, body)
		e.Kind = kind(e, cursorLink)
		text := e.Error()
		if len(text) > 1600 {
			t.Errorf("%d bytes", len(text))
		}
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("unreadable: %q", text)
		}
		if e.Kind != nil && (status < 400 || status > 499) {
			t.Errorf("status %d is %v", status, e.Kind)
		}
	})
}
