package oktatest

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// Weather creates random faults, the same ones for the same seed and request number. Its
// Fault is for SetFault.
type Weather struct {
	Seed   uint64
	Share  float64 // of requests with a fault
	Faults []Fault // to draw from; nil: PassingFaults
}

// Fault returns the fault of a request.
func (w Weather) Fault(req Request) Fault {
	r := chance(w.Seed, chanceWeather, uint64(req.N))
	if r.Float64() >= w.Share {
		return Fault{}
	}
	faults := w.Faults
	if faults == nil {
		faults = PassingFaults()
	}
	return faults[r.IntN(len(faults))]
}

// Faults lists one fault of every kind.
func Faults() []Fault {
	return slices.Concat(RefusalFaults(), ThrottleFaults(), ServerFaults(), BodyFaults(), LinkFaults(), ElementFaults(), ClockFaults())
}

// PassingFaults lists those that a repeated request does not meet, except for the gzip
// bomb, which is too costly to occur at random.
func PassingFaults() []Fault {
	all := slices.Concat(ThrottleFaults(), ServerFaults(), BodyFaults())
	return slices.DeleteFunc(all, func(f Fault) bool { return f.Bomb > 0 })
}

// RefusalFaults lists Okta's errors about a request or its credential, with the
// documented texts.
func RefusalFaults() []Fault {
	refuse := func(name string, status int, code, summary string) Fault {
		return Fault{Name: name, Status: status, Code: code, Summary: summary}
	}
	return []Fault{
		refuse("bad until", 400, "E0000001", "Api validation failed: 'until': The date format in your query is not recognized. Please enter dates using ISO8601 string format."),
		refuse("long q", 400, "E0000001", "Api validation failed: 'q': Freeform search cannot contain items longer than 40 characters."),
		refuse("bad after", 400, "E0000001", "API validation failed: 'after': must be a valid value."),
		refuse("bad limit", 400, "E0000001", "Api validation failed: 'limit': must be between 0 and 1000."),
		refuse("old since", 400, "E0000053", "Invalid parameter: The since parameter is over 180 days prior to the current day."),
		refuse("bad filter", 400, "E0000053", "Invalid filter 'eventType eqq \"x\"': Unrecognized attribute operator 'eqq' at position 10. Expected: eq,co,sw,pr,gt,ge,lt,le"),
		refuse("unknown field", 400, "E0000053", "field is not valid: some_invalid_field"),
		refuse("unsupported operator", 400, "E0000031", "Invalid search criteria. The supplied combination of operator and field is not currently supported. Operator: co, Field: debugContext.debugData.url"),
		refuse("bad date", 400, "E0000030", "Bad request. Invalid date. Dates must be of the form yyyy-MM-dd'T'HH:mm:ss.SSSZZ, e.g. 2013-01-01T12:00:00.000-07:00."),
		refuse("bad combination", 400, "E0000063", "Invalid combination of parameters specified."),
		refuse("bad accept", 400, "E0000021", "Bad request.  Accept and/or Content-Type headers likely do not match supported values."),
		refuse("bad token", 401, "E0000011", "Invalid token provided"),
		refuse("no feature", 401, "E0000015", "You do not have permission to access the feature you are requesting"),
		refuse("no role", 403, "E0000006", "You do not have permission to perform the requested action"),
		refuse("no session", 403, "E0000005", "Invalid session"),
		{Name: "no scope", Status: 403, Empty: true, Header: http.Header{"Www-Authenticate": {`Bearer authorization_uri="https://tidewater.okta.example/oauth2/v1/authorize", realm="https://tidewater.okta.example", scope="okta.logs.read", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="/api/v1/logs"`}}},
		{Name: "blocked zone", Status: 403, Body: htmlPage("403 Forbidden", "Access from your network is blocked.")},
		refuse("not found", 404, "E0000007", "Not found: Resource not found: logs (Api)"),
		refuse("no such path", 404, "E0000008", "The requested path was not found"),
		refuse("wrong method", 405, "E0000022", "The endpoint does not support the provided HTTP method"),
	}
}

// ThrottleFaults lists 429s that do not depend on the budget.
func ThrottleFaults() []Fault {
	limit := func(name, limit, remaining string, more http.Header) Fault {
		h := http.Header{"X-Rate-Limit-Remaining": {remaining}}
		if limit != "" {
			h.Set("X-Rate-Limit-Limit", limit)
		}
		maps.Copy(h, more)
		return Fault{Name: name, Status: 429, Code: errRate.code, Summary: errRate.summary, Header: h}
	}
	return []Fault{
		limit("429", "", "0", nil),
		limit("429 with budget left", "", "17", nil),
		limit("429 for concurrency", "0", "0", nil),
		limit("429 with a reset in the past", "", "0", http.Header{"X-Rate-Limit-Reset": {"1577836800"}}),
		limit("429 with a reset in 2100", "", "0", http.Header{"X-Rate-Limit-Reset": {"4102444800"}}),
		limit("429 with odd headers", "many", "-1", http.Header{"X-Rate-Limit-Reset": {"soon"}}),
		{Name: "429 without headers", Status: 429, Code: errRate.code, Summary: errRate.summary, Bare: true, NoBudget: true},
		limit("429 with retry-after", "", "0", http.Header{"Retry-After": {"7"}}),
	}
}

// ServerFaults lists failures of the org and of proxies before it.
func ServerFaults() []Fault {
	return []Fault{
		{Name: "500 query timeout", Status: 500, Code: "E0000009", Summary: "Your last request took too long to complete. Please try again with a smaller time range.", Bare: true, Wait: 30 * time.Second},
		{Name: "500 with the code of a 400", Status: 500, Code: "E0000053", Summary: "Sorry, there's been an error. We aren't sure what caused it, please try again."},
		{Name: "500", Status: 500, Code: "E0000009", Summary: "Internal Server Error"},
		{Name: "503 read only", Status: 503, Code: "E0000010", Summary: "Service is in read only mode"},
		{Name: "503 in HTML", Status: 503, Body: htmlPage("We're sorry", "Okta is temporarily unavailable.")},
		{Name: "502 in HTML", Status: 502, Body: htmlPage("502 Bad Gateway", "nginx"), NoBudget: true},
		{Name: "504 in HTML", Status: 504, Body: htmlPage("504 Gateway Time-out", "nginx"), NoBudget: true},
		{Name: "disconnected", Disconnect: true},
	}
}

// BodyFaults lists answers of status 200 without a complete page.
func BodyFaults() []Fault {
	return []Fault{
		{Name: "200 in HTML", Body: htmlPage("Sign In", "Please sign in.")},
		{Name: "200 with an object", Body: "{}"},
		{Name: "200 with null", Body: "null"},
		{Name: "200 with an error", Status: 200, Code: "E0000009", Summary: "Internal Server Error"},
		{Name: "200 with two arrays", Body: "[][]"},
		{Name: "empty body", Empty: true},
		{Name: "JSON cut short", Short: 0.3},
		{Name: "JSON without its last byte", Body: `[{"uuid":"1a2b3c4d-0000-4000-8000-000000000001"}`},
		{Name: "transfer cut short", Truncate: 0.3},
		{Name: "connection reset", Cut: 0.5},
		{Name: "wrong content length", Length: 100},
		{Name: "slow body", Slow: 40 * time.Second},
		{Name: "slow answer", Wait: 5 * time.Second},
		{Name: "gzip bomb", Bomb: 1 << 30},
	}
}

// LinkFaults lists next links, and a redirect, that must not be followed.
func LinkFaults() []Fault {
	return []Fault{
		{Name: "next on another host", Next: NextOtherHost},
		{Name: "next with user info", Next: NextUserInfo},
		{Name: "next on another path", Next: NextOtherPath},
		{Name: "next to itself", Next: NextSelf},
		{Name: "no next", Next: NextAbsent},
		{Name: "redirect to another host", Status: 302, Empty: true, Header: http.Header{"Location": {"https://" + NextHost + LogsPath}}},
	}
}

// ElementFaults lists pages with repeated events and with elements that are not events.
func ElementFaults() []Fault {
	return []Fault{
		{Name: "events twice in a page", Repeat: 3},
		{Name: "elements that are no events", Inject: NonEvents()},
	}
}

// ClockFaults lists answers with a wrong Date, or none.
func ClockFaults() []Fault {
	return []Fault{
		{Name: "Date a day ahead", Skew: 24 * time.Hour},
		{Name: "Date a day behind", Skew: -24 * time.Hour},
		{Name: "no Date", Header: http.Header{"Date": nil}},
	}
}

func htmlPage(title, text string) string {
	return "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head><body><h1>" + title + "</h1><p>" + text + "</p></body></html>\n"
}
