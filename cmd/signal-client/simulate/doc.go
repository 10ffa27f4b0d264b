// Package simulate is the command simulate: it serves simulated Okta orgs to whoever polls
// them, and says how to.
//
// It connects to no NATS and reads no configuration. The orgs are those of package
// simulated. Start at [New].
package simulate
