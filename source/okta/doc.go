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
// # What becomes of a hostile answer
//
// Good events are stored once, in order, whatever is beside or before them. An element of
// a page is stored to the byte, or becomes a dead letter, whose reason is a label of
// signal_client_deadletters_total; a bad answer is told in the log and in STATUS
// (retrying), counts for the breaker, and is asked for again. TestHostileAnswers of
// sink/sim has each polled into a real server.
//
//	an element that                                      becomes
//	nests up to 9,999 levels, or repeats members         an event; of repeated ones the last counts
//	nests deeper                                         too_deep
//	has numbers beyond 64 bits, or invalid UTF-8         an event
//	has invalid UTF-8 or \u0000 in its uuid, or no uuid  no_uuid
//	has \u0000 or the like in its eventType              an event, with a ce-type that is cleaned
//	is no object                                         not_an_object
//	is larger than the server takes, such as by an       too_large, cut to what fits
//	eventType of 10 MB
//
//	an answer that                                       is refused
//	drips slowly                                         at the end of the request's time
//	has endless headers                                  after 256 KiB of them
//	inflates beyond 64 MiB, or is endless and empty      at that size; asked for again in smaller pages
//	has another encoding than gzip, or several           before its body is read
//	is compressed twice, cut short, or holds bare NULs   as no page: none of it is stored
//
// # What it does not guarantee
//
// It may deliver an event twice (Okta may repeat events, and a link that is requested
// again returns its page again). It waits for the org's budget and after a 429, but not
// after other temporary failures: its caller does.
package okta
