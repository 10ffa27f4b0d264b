// Package deadletter is the deadletter commands: they list, show, requeue and delete
// elements that could not be stored. Start at [New].
package deadletter
