// Package buckets reads and writes the values of INTEGRATIONS, STATUS, BACKFILLS,
// BUDGETS, CHANGES, HISTORY, NOTIFICATIONS, NOTIFIED and
// CONSOLE: one type per bucket, or kind of value.
//
// LOCKS and CURSORS belong to packages locks and signals. Package jets creates, watches
// and writes buckets by compare-and-set.
//
// Start reading at [Integrations.Watch] and [Statuses.Run].
package buckets
