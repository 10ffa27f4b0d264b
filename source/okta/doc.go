// Package okta reads the System Log of an Okta org by polling requests: each follows the
// link that the previous answer named.
//
// These facts about Okta come from its developer documentation and from the field reports
// of other pollers, read 2026-11-22:
//   - a polling request has no until and has sortOrder=ASCENDING: its events are ordered
//     by when Okta stored them, and none is missing;
//   - the next link is the cursor: opaque, followed unchanged, nearly always present, and
//     equal to the requested link when nothing is new;
//   - the status decides what an error means; one code stands for several errors.
//
// # What it does not guarantee
//
// It may deliver an event twice (Okta may repeat events, and a link that is requested
// again returns its page again). It waits for the org's budget and after a 429, but not
// after other temporary failures: its caller does.
package okta
