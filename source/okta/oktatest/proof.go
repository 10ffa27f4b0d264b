package oktatest

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// proofMost is how old a proof may be.
const proofMost = 5 * time.Minute

// proofClaims are the claims of a DPoP proof (RFC 9449).
type proofClaims struct {
	ID     string           `json:"jti"`
	Method string           `json:"htm"`
	URL    string           `json:"htu"`
	Issued *jwt.NumericDate `json:"iat"`
	Nonce  string           `json:"nonce"`
	Hash   string           `json:"ath"`
}

// proof checks a request's proofs and returns the thumbprint of the key. token is the
// access token beside it; empty: none.
func (o *Org) proof(proofs []string, r *http.Request, token string, nonce bool, now time.Time, h http.Header) (thumbprint string, err *apiError) {
	refused := func(why string) (string, *apiError) {
		return "", dpopError(h, "invalid_dpop_proof", why)
	}
	if len(proofs) != 1 {
		if len(proofs) == 0 {
			return refused("The DPoP proof JWT header is missing.")
		}
		return refused("Multiple DPoP proof JWT headers are not allowed.")
	}
	c, key, why := readProof(proofs[0])
	if why != "" {
		return refused(why)
	}
	switch {
	case c.Method != r.Method:
		return refused("The DPoP proof JWT has an invalid 'htm' claim.")
	case c.URL != o.origin(r)+r.URL.Path:
		return refused("The DPoP proof JWT has an invalid 'htu' claim.")
	case c.ID == "":
		return refused("The DPoP proof JWT has an invalid 'jti' claim.")
	case c.Issued == nil:
		return refused("The DPoP proof JWT has an invalid 'iat' claim.")
	case c.Issued.Time().After(now):
		return refused("The DPoP proof JWT is issued in the future.")
	case c.Issued.Time().Before(now.Add(-proofMost)):
		return refused("The DPoP proof JWT was issued more than five minutes in the past.")
	case nonce && !o.acceptsNonce(c.Nonce, now):
		h.Set("DPoP-Nonce", o.nonce(now, 0))
		return "", dpopError(h, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.")
	case token != "" && c.Hash != hashOf(token):
		return refused("The DPoP proof JWT has an invalid 'ath' claim.")
	case !o.firstUse("proof", c.ID):
		return refused("The DPoP proof JWT has already been used.")
	}
	print, _ := key.Thumbprint(crypto.SHA256)
	return string(print), nil
}

// readProof reads a proof and verifies its signature by its own key.
func readProof(text string) (c proofClaims, key *jose.JSONWebKey, why string) {
	signed, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return c, nil, "The DPoP proof JWT is malformed, or its 'alg' is not supported."
	}
	head := signed.Headers[0]
	if kind, _ := head.ExtraHeaders[jose.HeaderType].(string); kind != "dpop+jwt" {
		return c, nil, "The DPoP proof JWT has an invalid 'typ' header."
	}
	if key = head.JSONWebKey; key == nil || !key.IsPublic() {
		return c, nil, "The DPoP proof JWT has an invalid 'jwk' header."
	}
	if signed.Claims(key.Key, &c) != nil {
		return c, nil, "The DPoP proof JWT has an invalid signature."
	}
	return c, key, ""
}

// bearer decides whether an access token is served, and returns who uses it.
func (o *Org) bearer(r *http.Request, scheme, token string, now time.Time, h http.Header) (client string, err *apiError) {
	g, known := o.oauth.grants[token]
	app, registered := o.oauth.apps[g.client]
	if !known || !registered || !g.until.After(now) || scheme == "DPoP" && g.key == "" {
		h.Set("WWW-Authenticate", scheme+` error="invalid_token", error_description="The access token is invalid."`)
		return "", errToken
	}
	if g.key != "" {
		proofs := r.Header.Values("DPoP")
		if scheme != "DPoP" {
			proofs = nil
		}
		print, err := o.proof(proofs, r, token, app.LogsNonce, now, h)
		if err != nil {
			return "", err
		}
		if print != g.key {
			return "", dpopError(h, "invalid_dpop_proof", "The access token is not bound to the key of the DPoP proof JWT.")
		}
	}
	if app.NoRole {
		return "", errRole
	}
	return g.client, nil
}

// dpopError is the refusal of a proof. Okta documents status 400.
func dpopError(h http.Header, code, description string) *apiError {
	h.Set("WWW-Authenticate", `DPoP error="`+code+`", error_description="`+description+`"`)
	return oauthError(http.StatusBadRequest, code, description)
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func binaryOf(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// accessToken returns the access token in an Authorization header, and its scheme.
func accessToken(authorization string) (scheme, token string, ok bool) {
	scheme, token, ok = strings.Cut(authorization, " ")
	return scheme, token, ok && (scheme == "Bearer" || scheme == "DPoP")
}
