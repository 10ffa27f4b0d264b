// Package audit is the command audit: it compares an org's log with what is stored, and
// can store what is missing. The comparison itself is in pipeline/audit. Start at [New].
package audit
