// Package search is the command search, and the hidden command search-index.
//
// search asks the VictoriaLogs that SIGNAL_CLIENT_SEARCH names, or the console of the
// running service, which asks its own index. The index is written elsewhere: see
// sink/search. Start at [New].
package search
