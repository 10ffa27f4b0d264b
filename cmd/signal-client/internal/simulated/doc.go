// Package simulated serves simulated Okta orgs over HTTP, for the commands demo and
// simulate. Start at [Start].
//
// What an org does is package oktatest's; this package gives it a name, an address and
// something that happens in it.
package simulated
