// Package status is the command status: every org and process as a table, as one
// org whole, as JSON, once or again and again.
//
// How things stand is read and put together by sink/overview; this package prints
// it. Start at [New].
package status
