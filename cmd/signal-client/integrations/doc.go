// Package integrations is the commands of integrations: list, show, add, set, enable,
// disable, remove, test, import and export.
//
// What they do to values is in internal/orgs; this package reads flags, asks and
// prints. Start at [New].
package integrations
