// Package backfill is the backfill commands: they start, list, show, follow and cancel
// jobs. The process that polls the org runs them: see pipeline/backfill. Start at [New].
package backfill
