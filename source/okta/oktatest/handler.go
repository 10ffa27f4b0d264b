package oktatest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// answer is the answer to a request, before faults of the connection.
type answer struct {
	status int
	header http.Header
	body   []byte
	page   bool          // body is a page
	events int           // elements of the page
	buffer *bytes.Buffer // holds body; to be returned; may be nil
	packed []byte        // body, compressed in advance; may be nil
}

// ServeHTTP serves GET /api/v1/logs, GET /.well-known/okta-organization, and POST
// /oauth2/v1/token.
func (o *Org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := o.arrive(r)
	fault := o.faultFor(req)
	a := answer{}
	defer func() {
		o.leave(req, a, fault)
		if a.buffer != nil {
			pageBuffers.Put(a.buffer)
		}
	}()
	if !sleep(r.Context(), fault.Wait) || fault.Disconnect {
		panic(http.ErrAbortHandler)
	}
	a = o.answer(r, req, fault)
	o.send(w, r, a, fault)
}

// answer makes the answer. It checks the credential first, then the limits, then the
// query.
func (o *Org) answer(r *http.Request, req Request, fault Fault) answer {
	now := o.Now()
	a := answer{status: http.StatusOK, header: o.header(req, now.Add(fault.Skew))}
	err := o.admit(r, fault, now, a.header)
	switch {
	case err != nil:
		a.refuse(err)
	case fault.replaces():
		a.replace(fault)
	case r.URL.Path == organizationPath:
		a.body = o.organization(r)
	case r.URL.Path == TokenPath:
		o.grantToken(&a, r, now)
	default:
		o.answerPage(&a, r, req, fault, now)
	}
	if fault.NoBudget {
		dropBudget(a.header)
	}
	for name, values := range fault.Header {
		if a.header[http.CanonicalHeaderKey(name)] = values; len(values) == 0 {
			delete(a.header, http.CanonicalHeaderKey(name))
		}
	}
	return a
}

// header returns the headers of every answer.
func (o *Org) header(req Request, now time.Time) http.Header {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], mix(o.config.Seed))
	binary.BigEndian.PutUint64(id[8:], mix(uint64(req.N)))
	return http.Header{
		"Date":                      {now.Format(http.TimeFormat)},
		"Content-Type":              {"application/json"},
		"Cache-Control":             {"no-cache, no-store"},
		"Server":                    {"nginx"},
		"Strict-Transport-Security": {"max-age=315360000; includeSubDomains"},
		"X-Okta-Request-Id":         {hex.EncodeToString(id[:])},
		"Set-Cookie":                {"JSESSIONID=" + hex.EncodeToString(id[8:]) + "; Path=/; Secure; HttpOnly"},
	}
}

func (a *answer) refuse(err *apiError) {
	a.status = err.status
	a.body = err.body(a.header.Get("X-Okta-Request-Id")[:19])
}

// replace replaces the page by the fault's content.
func (a *answer) replace(fault Fault) {
	a.status = fault.status()
	switch {
	case fault.Code != "":
		a.refuse(&apiError{status: a.status, code: fault.Code, summary: fault.Summary, bare: fault.Bare})
	case fault.Bomb > 0:
	default:
		a.body = []byte(fault.Body)
	}
	if strings.HasPrefix(strings.TrimSpace(fault.Body), "<") {
		a.header.Set("Content-Type", "text/html;charset=utf-8")
	}
}

// answerPage finds the page and its links.
func (o *Org) answerPage(a *answer, r *http.Request, req Request, fault Fault, now time.Time) {
	q, err := parseQuery(r.URL.RawQuery, now)
	if err != nil {
		a.refuse(err)
		return
	}
	extra := o.extras(q, req, fault)
	p, err := o.find(q, now, extra, req)
	if err != nil {
		a.refuse(err)
		return
	}
	extra.spoil(&p)
	a.page, a.events = true, len(p.elements)
	o.link(a.header, r, req, q, p, fault)
	if o.compresses(r) && fault.Short == 0 {
		if a.packed = o.frozen.get(p.frozen()); a.packed != nil {
			return
		}
	}
	a.buffer = pageBuffers.Get().(*bytes.Buffer)
	a.body = o.render(a.buffer, p)
	a.body = a.body[:int(float64(len(a.body))*(1-fault.Short))]
}
