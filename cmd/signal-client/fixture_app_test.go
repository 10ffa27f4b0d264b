package main

import (
	"crypto"
	"encoding/json"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// appCommand registers a service app that has to use DPoP at the org, with a public key and
// no other: app <client id> <file of a JWK> [no-scope] [no-role]. Its access tokens end.
func appCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: app <client id> <file of a JWK> [no-scope] [no-role]")
	}
	var key jose.JSONWebKey
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &key))
	if !key.IsPublic() {
		ts.Fatalf("%s is no public key", args[1])
	}
	org := ts.Value("org").(*oktatest.Org)
	org.Register(oktatest.App{
		ClientID: args[0], Keys: map[string]crypto.PublicKey{key.KeyID: key.Key}, DPoP: true,
		NoScope: slices.Contains(args, "no-scope"), NoRole: slices.Contains(args, "no-role"),
	})
	org.ExpireTokens()
}
