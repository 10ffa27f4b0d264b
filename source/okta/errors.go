package okta

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/limiter"
	"github.com/witfoo/signal-client/source/okta/oauth"
	"github.com/witfoo/signal-client/source/page"
)

// Error is an answer that is not a page. Every field but Status may be empty: it may come from
// a proxy, or lack a body. All texts are shortened and free of control characters.
type Error struct {
	Status     int
	Code       string // Okta's errorCode, such as E0000011
	Summary    string // errorSummary, or a title from the body
	Causes     []string
	ID         string        // errorId, which Okta's support asks for
	RequestID  string        // X-Okta-Request-Id
	RetryAfter time.Duration // 0: not in the answer
	OAuth      string        // error code of OAuth 2.0, such as invalid_client
	Grant      bool          // it is of a request for an access token
	App        bool          // it is of a service app's request
	Kind       error         // the pipeline error that it matches; nil: transient
}

// Is matches the pipeline's ErrThrottled, ErrCredential, ErrCursor, ErrLink or ErrConfig.
func (e *Error) Is(target error) bool { return e.Kind != nil && e.Kind == target }

// Foreign reports whether nothing in the answer is Okta's: a gateway, proxy or firewall
// on the way made it, or Okta's edge before it checked the token.
func (e *Error) Foreign() bool {
	return e.Code == "" && e.ID == "" && e.RequestID == "" && e.OAuth == ""
}

// proofRefused reports whether another DPoP proof may be accepted.
func (e *Error) proofRefused() bool {
	return e.OAuth == oauth.InvalidProof || e.OAuth == oauth.UseNonce
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "status %d", e.Status)
	for _, part := range []struct{ before, text string }{
		{" ", cmp.Or(e.Code, e.OAuth)}, {": ", cmp.Or(e.Summary, http.StatusText(e.Status))}, {": ", strings.Join(e.Causes, "; ")},
		{", error id ", e.ID}, {", request id ", e.RequestID},
	} {
		if part.text != "" {
			b.WriteString(part.before + part.text)
		}
	}
	return b.String()
}

const (
	maxText   = 300      // bytes of a text in an error
	maxName   = 64       // bytes of a code or an id
	maxCauses = 3        // causes to keep
	maxRefuse = 64 << 10 // bytes of an error's body to read
)

// refusal makes an error from an answer with a status other than 200. The token, if
// somebody echoes it, is removed before texts are cut.
func (c *Client) refusal(ctx context.Context, resp *http.Response, link pipeline.Link) error {
	// Even with a broken or oversized body the status decides.
	body, _ := page.Read(ctx, resp, 0, &page.Reservation{Most: maxRefuse})
	h := http.Header{}
	for _, name := range []string{"X-Okta-Request-Id", "Location", "Retry-After", "Date", "WWW-Authenticate"} {
		h.Set(name, c.redact(resp.Header.Get(name)))
	}
	e := decodeError(resp.StatusCode, h, []byte(c.redact(string(body))))
	e.App = c.auth.session != nil
	e.Kind = kind(e, link)
	return e
}

// redact removes the credential from a text, as it is and as JSON and URLs write it.
func (c *Client) redact(s string) string {
	for _, secret := range c.secrets() {
		if secret.IsZero() {
			continue
		}
		token := secret.Reveal()
		plain, _ := json.Marshal(token)
		escaped := strings.Trim(string(plain), `"`)
		unescaped := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(escaped)
		for _, form := range []string{token, escaped, unescaped, url.QueryEscape(token), url.PathEscape(token)} {
			s = strings.ReplaceAll(s, form, secret.String())
		}
	}
	return s
}

// envelope is the body of Okta's errors; every member is optional and may be of any type.
type envelope struct {
	Code    any `json:"errorCode"`
	Summary any `json:"errorSummary"`
	ID      any `json:"errorId"`
	Causes  any `json:"errorCauses"`
}

func decodeError(status int, h http.Header, body []byte) *Error {
	var env envelope
	isJSON := json.Unmarshal(body, &env) == nil
	e := &Error{
		Status:     status,
		Code:       text(env.Code, maxName),
		Summary:    text(env.Summary, maxText),
		ID:         text(env.ID, maxName),
		RequestID:  clean(h.Get("X-Okta-Request-Id"), maxName),
		RetryAfter: limiter.RetryAfter(h),
	}
	code, description := oauth.ReadError(h, body)
	e.OAuth, e.Summary = clean(code, maxName), cmp.Or(e.Summary, clean(description, maxText))
	causes, _ := env.Causes.([]any)
	for _, cause := range causes {
		member, _ := cause.(map[string]any)
		if said := text(member["errorSummary"], maxText); said != "" && len(e.Causes) < maxCauses {
			e.Causes = append(e.Causes, said)
		}
	}
	if !isJSON {
		e.Summary = title(string(body))
	}
	if status >= 300 && status < 400 {
		e.Summary = "redirect to " + redirectHost(h.Get("Location")) + " not followed; is the fqdn right?"
	}
	return e
}

// kind returns what an answer means to a Runner. The status decides, because Okta uses
// one code for faults of either side.
func kind(e *Error, link pipeline.Link) error {
	switch e.Status {
	case http.StatusTooManyRequests:
		return pipeline.ErrThrottled
	case http.StatusUnauthorized, http.StatusForbidden:
		return pipeline.ErrCredential
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return nil
	}
	if e.proofRefused() {
		return pipeline.ErrCredential // of status 400
	}
	if e.Status >= 400 && e.Status < 500 {
		return e.refusal(link)
	}
	return nil
}

// refusal returns what the refusal of a link means. Okta does not document how it refuses
// an old cursor, and a gateway may answer in its place. So the configuration is blamed
// only if the answer names a parameter that the configuration put into the link, or if
// this program made the whole link. The since of a live query was clamped when the link
// was made: it has become too old since, or a clock was wrong.
func (e *Error) refusal(link pipeline.Link) error {
	holds := func(name string) bool { return param(string(link), name) != "" }
	blamed := func(name string) bool { return holds(name) && e.blames(name) }
	switch {
	case slices.ContainsFunc([]string{"filter", "limit", "until"}, blamed):
		return pipeline.ErrConfig
	case blamed("after"), blamed("since") && !holds("until"), holds("after") && holds("until"):
		return pipeline.ErrCursor
	case holds("after"):
		return pipeline.ErrLink
	}
	return pipeline.ErrConfig
}

// blames reports whether the error's texts name a request parameter.
func (e *Error) blames(param string) bool {
	said := strings.ToLower(" " + e.Summary + " " + strings.Join(e.Causes, " "))
	if param == "filter" && strings.Contains(said, "invalid filter") {
		return true
	}
	forms := []string{"'" + param + "'", `"` + param + `"`, " " + param + " parameter"}
	return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(said, form) })
}

func text(value any, limit int) string {
	s, _ := value.(string)
	return clean(s, limit)
}

// clean makes a foreign text fit for a log line: valid, printable, single spaces, short.
func clean(s string, limit int) string {
	words := strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	s = strings.ToValidUTF8(strings.Join(words, " "), "")
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit-len("…")], "") + "…"
}

// title returns what a body that is not JSON says: its title, or the beginning of a text.
func title(body string) string {
	if _, rest, ok := strings.Cut(body, "<title>"); ok {
		inside, _, _ := strings.Cut(rest, "</title>")
		return clean(inside, maxText)
	}
	if strings.Contains(body, "<") {
		return ""
	}
	return clean(body, maxText)
}

func redirectHost(location string) string {
	at, err := url.Parse(location)
	if err != nil || at.Host == "" {
		return clean(cmp.Or(location, "nowhere"), maxName)
	}
	return clean(at.Host, maxName)
}
