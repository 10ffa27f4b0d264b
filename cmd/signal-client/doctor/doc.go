// Package doctor is the command doctor: it checks all that polling needs (NATS,
// streams, processes, orgs, this machine) and says what to do about what is wrong.
// It changes nothing.
//
// Start at [New]; check.go says what a check is, surroundings.go what the checks
// look at, report.go how their findings are printed.
package doctor
