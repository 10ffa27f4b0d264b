package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
)

// Error codes that this package or its callers branch on.
const (
	InvalidClient = "invalid_client"
	InvalidScope  = "invalid_scope"
	AccessDenied  = "access_denied"
	InvalidProof  = "invalid_dpop_proof"
	UseNonce      = "use_dpop_nonce"
	InvalidToken  = "invalid_token"
	ShortScope    = "insufficient_scope"
)

// Refused is the error of a token request whose answer holds no token.
type Refused struct {
	Answer
	Code        string // such as InvalidClient; empty: not in the answer
	Description string
}

func (r *Refused) Error() string {
	return fmt.Sprintf("no access token: status %d %s: %s", r.Status, r.Code, r.Description)
}

// curable reports whether another try, by another nonce or clock, may succeed.
func (r *Refused) curable() bool {
	return r.Code == UseNonce || r.Code == InvalidProof || r.Code == InvalidClient
}

// transient reports whether the answer says nothing about the credential.
func (r *Refused) transient() bool {
	return r.Status == http.StatusTooManyRequests || r.Status >= 500
}

var (
	headerError       = regexp.MustCompile(`[ ,]error="([^"]*)"`)
	headerDescription = regexp.MustCompile(`[ ,]error_description="([^"]*)"`)
)

// ReadError returns the code and description of an OAuth 2.0 error: of the body, else of the
// header WWW-Authenticate. Empty: there is none.
func ReadError(h http.Header, body []byte) (code, description string) {
	var said struct {
		Code        any `json:"error"`
		Description any `json:"error_description"`
	}
	if json.Unmarshal(body, &said) == nil {
		code, _ = said.Code.(string)
		description, _ = said.Description.(string)
	}
	if code != "" {
		return code, description
	}
	for _, challenge := range h.Values("WWW-Authenticate") {
		if found := headerError.FindStringSubmatch(challenge); found != nil {
			code = found[1]
			if found = headerDescription.FindStringSubmatch(challenge); found != nil {
				description = found[1]
			}
			return code, description
		}
	}
	return "", ""
}
