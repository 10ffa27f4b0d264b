// Package backfill is the commands of backfill: a job is started, listed, shown,
// followed and cancelled. Whoever polls the org carries it out, not this package:
// see pipeline/backfill. Start at [New].
package backfill
