// Package buckets reads and writes the values of INTEGRATIONS, STATUS, BACKFILLS and
// BUDGETS: one type for each bucket.
//
// What LOCKS and CURSORS hold belongs to packages locks and signals. How the buckets are
// made, watched and written by compare-and-set is package jets.
//
// Start reading at [Integrations.Watch] and [Statuses.Run].
package buckets
