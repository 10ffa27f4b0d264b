// Package deadletter is the commands of deadletter: what could not be stored is
// listed, shown, requeued and deleted. Start at [New].
package deadletter
