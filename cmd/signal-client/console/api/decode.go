package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
)

// mostBody is the largest body of a request.
const mostBody = 1 << 20

// body reads a request's body, within bounds.
func body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, bad(http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit), "send less")
	}
	if err != nil {
		return nil, bad(http.StatusBadRequest, "", "the body can't be read: "+err.Error(), "send it again")
	}
	return data, nil
}

// jsonBody reads a body that must be JSON.
func jsonBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, bad(http.StatusUnsupportedMediaType, "", "the body is not declared as JSON", "Content-Type: application/json")
	}
	data, err := body(w, r)
	if err == nil && !json.Valid(data) {
		err = bad(http.StatusBadRequest, "", "the body is not one JSON value", `send an object such as {"settings": {"fqdn": "acme.okta.com"}, "credentials": {"api_token": "…"}}`)
	}
	return data, err
}

// value reads a body that is an integration, and the instance that it names; empty: none.
func value(w http.ResponseWriter, r *http.Request) (v orgs.Value, instance string, err error) {
	data, err := jsonBody(w, r)
	if err != nil {
		return nil, "", err
	}
	if v, err = orgs.ReadValue(data); err != nil {
		return nil, "", bad(http.StatusBadRequest, "", "the body is not a JSON object", `send an object such as {"settings": {"fqdn": "acme.okta.com"}, "credentials": {"api_token": "…"}}`)
	}
	switch name := v["instance"].(type) {
	case nil:
	case string:
		instance = strings.TrimSpace(name)
	default:
		return nil, "", bad(http.StatusUnprocessableEntity, "instance", "it is not text", "write 1 to 63 small letters, digits and hyphens, such as acme-prod")
	}
	return v, instance, nil
}

// etag returns the tag of a revision.
func etag(revision uint64) string { return strconv.Quote(strconv.FormatUint(revision, 10)) }

// revision returns the revision that If-Match names; 0: any.
func revision(r *http.Request) (uint64, error) {
	tag := strings.TrimSpace(r.Header.Get("If-Match"))
	if tag == "" || tag == "*" {
		return 0, nil
	}
	n, err := strconv.ParseUint(strings.Trim(tag, `"`), 10, 64)
	if err != nil || n == 0 {
		return 0, bad(http.StatusPreconditionFailed, "If-Match", "it is no revision of an integration", `send the ETag of the last answer, such as "42"`)
	}
	return n, nil
}
