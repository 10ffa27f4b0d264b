// Package oktatest is a simulated Okta org that serves the System Log: for tests, the
// demo command and benchmarks.
//
// It keeps two times per event. Published is when the event happened, and is part of the
// event. Persisted is when the org committed it to its log; it orders the log and is
// never shown. Polling requests follow persisted, bounded requests published, as Okta's
// do. Documented and observed facts about Okta are from its developer documentation of
// 2026-08-21; where neither says what happens, there is a switch.
//
// An Org is an http.Handler. Over sockets any http.Server serves it; within a
// testing/synctest bubble, or wherever sockets are too costly, its Transport serves an
// http.Client in-process. It uses package time, so in a bubble its clock is the bubble's.
//
// Service apps get access tokens, with or without DPoP: see [Org.Register]. There are no
// endpoints other than those of [Org.ServeHTTP]. Filters compare numbers as texts.
package oktatest
