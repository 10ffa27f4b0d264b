// Package integrations is the integrations commands: list, show, add, set, enable,
// disable, remove, test, history, import and export.
//
// What they do to values is in internal/orgs; this package reads flags, asks and prints.
// Start at [New].
package integrations
