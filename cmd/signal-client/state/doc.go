// Package state is the commands export and restore: they write what a fleet knows into one
// document, and begin with it in a NATS that has lost everything. The document's form is
// [Document], and schemas/export.json. Start at [NewExport] and [NewRestore].
package state
