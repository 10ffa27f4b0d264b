// Package problem turns errors into what the user needs: what failed, why, what to try,
// and the exit code.
//
// It prints and explains errors, but handles none. A command's own sentinel errors have
// their hints beside the command. Start at [Error], then [Of], and [Explain] for the
// sentence in STATUS.
package problem
