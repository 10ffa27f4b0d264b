package oktatest

import (
	"encoding/json"
	"net/http"
)

// apiError is an error answer.
type apiError struct {
	status  int
	code    string
	summary string
	causes  []string
	raw     *string // the body, instead of an envelope
	bare    bool    // the short form: no errorLink, no errorId, no causes
}

// errorBody is the envelope of Okta's errors. Every member may be absent.
type errorBody struct {
	Code    string        `json:"errorCode"`
	Summary string        `json:"errorSummary"`
	Link    string        `json:"errorLink,omitempty"`
	ID      string        `json:"errorId,omitempty"`
	Causes  *[]errorCause `json:"errorCauses,omitempty"`
}

type errorCause struct {
	Summary string `json:"errorSummary"`
}

func (e *apiError) body(id string) []byte {
	if e.raw != nil {
		return []byte(*e.raw)
	}
	b := errorBody{Code: e.code, Summary: e.summary}
	if !e.bare {
		causes := make([]errorCause, 0, len(e.causes))
		for _, cause := range e.causes {
			causes = append(causes, errorCause{cause})
		}
		b.Link, b.ID, b.Causes = e.code, "oae"+id, &causes
	}
	data, _ := json.Marshal(b)
	return data
}

func invalid(param, complaint string) *apiError {
	text := "'" + param + "': " + complaint
	return &apiError{status: http.StatusBadRequest, code: "E0000001",
		summary: "Api validation failed: " + text, causes: []string{text}}
}

func invalidCursor() *apiError {
	text := "'after': must be a valid value."
	return &apiError{status: http.StatusBadRequest, code: "E0000001",
		summary: "API validation failed: " + text, causes: []string{text}}
}

func badParameter(summary string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "E0000053", summary: summary}
}

func unsupported(operator, field string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: "E0000031", summary: "Invalid search criteria. " +
		"The supplied combination of operator and field is not currently supported. Operator: " + operator + ", Field: " + field}
}

var (
	errToken = &apiError{status: http.StatusUnauthorized, code: "E0000011", summary: "Invalid token provided"}
	errRole  = &apiError{status: http.StatusForbidden, code: "E0000006",
		summary: "You do not have permission to perform the requested action"}
	errPath   = &apiError{status: http.StatusNotFound, code: "E0000008", summary: "The requested path was not found"}
	errMethod = &apiError{status: http.StatusMethodNotAllowed, code: "E0000022",
		summary: "The endpoint does not support the provided HTTP method"}
	errRate = &apiError{status: http.StatusTooManyRequests, code: "E0000047",
		summary: "API call exceeded rate limit due to too many requests."}
)
