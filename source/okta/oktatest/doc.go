// Package oktatest is a simulated Okta org that serves the System Log: for
// tests, the demo command and benchmarks.
//
// It keeps two clocks per event. Published is when the event happened; it is
// in the event. Persisted is when the org committed it to its log; it orders
// the log and is never shown. Polling requests follow the second, bounded
// requests the first, as Okta's do. What Okta documents, and what was seen of
// it, was read from its developer documentation of 2026-08-21; where neither
// says what happens, there is a switch.
//
// An Org is an http.Handler. Over sockets it is served by any http.Server;
// within a testing/synctest bubble, or wherever sockets are too much, its
// Transport answers an http.Client in process. It calls time plainly, so in a
// bubble its clock is the bubble's.
//
// What it does not do: OAuth and DPoP, endpoints other than the System Log and
// the organization's own description. Filters compare numbers as texts.
package oktatest
