package simulated

import (
	"crypto"
	"os"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta/oauth"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// App is a service app of an org.
type App struct {
	ClientID, KeyID string
	app             oktatest.App
}

// ReadApp returns a service app whose private key is in a file (PEM or JWK).
func ReadApp(file string, dpop bool) (*App, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	a := &App{ClientID: "0oasimulated", KeyID: "simulated"}
	key, err := oauth.App{ClientID: a.ClientID, KeyID: a.KeyID, Key: pipeline.NewSecret(string(text))}.Public()
	if err != nil {
		return nil, err
	}
	a.app = oktatest.App{ClientID: a.ClientID, Keys: map[string]crypto.PublicKey{a.KeyID: key}, DPoP: dpop}
	return a, nil
}
