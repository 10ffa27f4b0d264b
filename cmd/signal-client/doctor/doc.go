// Package doctor is the command doctor: it checks everything that polling needs (NATS,
// streams, processes, orgs, this machine) and says what to do about problems. It changes
// nothing.
//
// Start at [New]; check.go defines a check, surroundings.go what the checks examine,
// report.go how findings are printed.
package doctor
