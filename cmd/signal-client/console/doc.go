// Package console assembles the web console: getting in, the API and the pages as one
// http.Handler, which main hands to package run.
//
// It contains no logic: package access decides who may, view is the picture that pages
// and API show, and page, fleetpages, signalpages and api answer requests. None of them
// imports internal/cli or internal/term, which are for terminals. Start at
// [Console.Handler].
package console
