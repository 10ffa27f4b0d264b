// Package view is the live picture that the console's pages and its API show, and the
// edits that they make.
//
// One View serves all browser tabs of a process: it follows STATUS, INTEGRATIONS and LOCKS
// once, and tells its followers at most once a second what changed. Edits of integrations
// go through internal/orgs, by revision, are logged and kept in CHANGES with their author.
// It renders nothing and knows no HTTP.
//
// Start at [View.Fleet], [View.Changes] and [View.Create].
package view
