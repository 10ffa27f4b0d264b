// Package console will hold the web console: its pages and /api/v1, as one
// http.Handler that main hands to package run.
//
// It will read and change integrations through internal/orgs, show the fleet through
// sink/overview and search events through the sinks. It must not import internal/cli
// or internal/term, which are for terminals.
package console
