// Package buckets reads and writes the values of INTEGRATIONS, STATUS, BACKFILLS and
// BUDGETS: one type per bucket.
//
// LOCKS and CURSORS belong to packages locks and signals. Package jets creates, watches
// and writes buckets by compare-and-set.
//
// Start reading at [Integrations.Watch] and [Statuses.Run].
package buckets
