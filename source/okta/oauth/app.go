// Package oauth authorises requests to an Okta org as an OAuth 2.0 service app: it gets
// access tokens by signed assertions (private_key_jwt), and proves by DPoP that they are its
// own. It sends nothing itself, reads no files and knows nothing of the System Log.
//
// Facts about Okta come from its guides for service apps and for DPoP, and from its list of
// OAuth errors, read 2026-08-21. Start reading at [Session].
package oauth

import (
	"fmt"
	"log/slog"

	"github.com/witfoo/signal-client/pipeline"
)

// App is a service app's credential. Two are equal (==) when their members are. However it
// is printed or logged, it shows nothing of itself.
type App struct {
	ClientID string
	KeyID    string          // empty: the kid of a key that is a JWK
	Key      pipeline.Secret // the private key: PEM or JWK
}

var _ pipeline.Credential = App{}

// IsZero reports whether there is no credential.
func (a App) IsZero() bool { return a == App{} }

// Format prints the redaction, whatever the verb.
func (a App) Format(f fmt.State, verb rune) { a.Key.Format(f, verb) }

// LogValue returns the redaction.
func (a App) LogValue() slog.Value { return a.Key.LogValue() }
