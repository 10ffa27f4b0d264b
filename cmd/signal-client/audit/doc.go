// Package audit is the command audit: an org's log is compared with what is stored,
// and what is missing can be stored. The comparison itself is pipeline/audit. Start
// at [New].
package audit
