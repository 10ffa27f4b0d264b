// Package status is the command status: it prints every org and process as a table, one
// org in full, or JSON, once or repeatedly.
//
// sink/overview reads and combines the buckets; this package prints them. Start at [New].
package status
