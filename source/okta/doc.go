// Package okta reads an Okta org's System Log: one polling request after
// another, each along the link that the answer before it named.
//
// What was learned of Okta is from its developer documentation and from what
// other pollers met in the field, read 2026-11-22:
//
//   - only a request without until and with sortOrder=ASCENDING is a polling
//     request, which is ordered by when Okta stored an event and misses none;
//   - the next link is the cursor: opaque, followed as it is, nearly always
//     there, and equal to the link asked for when nothing is new;
//   - the status decides what an error means; codes are used more than once.
//
// # What it does not guarantee
//
// It may deliver an event twice (Okta may, and a link asked again gives its
// page again), and it does not wait after a failure that passes: that is
// its caller's. It waits for the org's budget, and after a 429.
package okta
