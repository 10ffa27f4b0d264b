// Package problem turns errors into what their reader needs: what failed, why, what
// to try, and the exit code.
//
// It prints errors and explains them in words; it handles none. A command whose
// sentinel nobody else returns keeps the hint for it beside the command. Start at
// [Error], then [Of], and [Explain] for the sentence that STATUS keeps.
package problem
