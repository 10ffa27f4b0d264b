package okta

import (
	"net/http"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/source/okta/oauth"
)

// refusedApp is what the refusal of a service app means, and the one thing to do about it.
type refusedApp struct{ meaning, remedy string }

// Refusals of service apps. The places are those of Okta's Admin Console.
var (
	appClient  = refusedApp{"Okta does not know the service app: check its client_id", "copy the Client ID from the service app's General tab: signal-client integrations set <name> client_id=<id>"}
	appKey     = refusedApp{"Okta refuses the service app's key: it is not one of the app's, or its key_id is another's", "give the app this key's public half (General > Client Credentials > Public keys; signal-client keys okta makes a new pair), and set its kid: signal-client integrations set <name> key_id=<kid>"}
	appBoth    = refusedApp{"Okta refuses the service app's client_id or key", "compare client_id and key_id with the service app's General tab: signal-client integrations show <name>"}
	appHost    = refusedApp{"Okta takes requests for this org under another host name", remedyHost}
	appClock   = refusedApp{"Okta takes this machine's clock to be wrong, even corrected by its own Date", "set this machine's clock, such as by NTP"}
	appTwice   = refusedApp{"Okta has seen this request before, although each is made once", "check whether a proxy on the way sends requests twice"}
	appScope   = refusedApp{"the service app lacks the scope okta.logs.read: grant it", "grant okta.logs.read on the service app's tab Okta API Scopes"}
	appRole    = refusedApp{"the service app may not read the System Log: assign it the role Read-only Administrator", "assign the role Read-only Administrator on the service app's tab Admin roles"}
	appZone    = refusedApp{"Okta does not accept the service app from this machine's address: its network zones don't permit it", "add this machine's address to the network zones of the service app"}
	appPolicy  = refusedApp{"a policy of the org denies the service app an access token", "have the policy changed that Okta's System Log names beside this failed grant"}
	appType    = refusedApp{"the app is no service app that gets tokens by client credentials", "create an app of the type API Services, and set its client_id: signal-client integrations set <name> client_id=<id>"}
	appProof   = refusedApp{"Okta refuses the service app's DPoP proof", "check whether a proxy changes the host name, the path or the header DPoP; if none does, untick Require DPoP on the app's General tab"}
	appNonce   = refusedApp{"Okta demands a new DPoP nonce at every try", "check whether a proxy on the way removes or keeps the header DPoP-Nonce"}
	appRefused = refusedApp{"Okta refuses the service app's access token, and a new one, too", "check on the service app's General tab that it is active"}
)

// appRefusal returns what an answer to a service app means; zero: it says nothing of the app.
func appRefusal(e *Error) refusedApp {
	if !e.App || e.Foreign() {
		return refusedApp{}
	}
	switch e.OAuth {
	case oauth.UseNonce:
		return appNonce
	case oauth.InvalidProof:
		if e.says("future", "minutes", "expired", "'iat'") {
			return appClock
		}
		return appProof
	case oauth.InvalidScope, oauth.ShortScope:
		return appScope
	}
	switch {
	case e.Grant:
		return grantRefusal(e)
	case e.Status == http.StatusForbidden:
		return appRole
	case e.Status == http.StatusUnauthorized:
		return appRefused
	}
	return refusedApp{}
}

// grantRefusal is appRefusal for requests for an access token.
func grantRefusal(e *Error) refusedApp {
	switch e.OAuth {
	case oauth.InvalidClient:
		return clientRefusal(e)
	case oauth.AccessDenied:
		if e.Status == http.StatusForbidden {
			return appZone
		}
		return appPolicy
	case "unauthorized_client", "unsupported_grant_type":
		return appType
	}
	return refusedApp{}
}

// clientRefusal tells apart what Okta answers by one code, by its descriptions of 2026-08-21.
func clientRefusal(e *Error) refusedApp {
	switch {
	case e.says("audience"):
		return appHost
	case e.says("already"):
		return appTwice
	case e.says("expir", "future", "issued"):
		return appClock
	case e.says("kid", "signature", "jwk", "key"):
		return appKey
	case e.says("client_id", "issuer", "subject", "'iss'", "'sub'"):
		return appClient
	}
	return appBoth
}

// says reports whether the answer's text holds one of some words.
func (e *Error) says(words ...string) bool {
	said := strings.ToLower(e.Summary)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(said, word) })
}
