// Package sim simulates fleets of whole processes: orgs, a real server and processes in one
// synctest bubble of fake time, with random faults. A process is all that signal-client run
// starts but its listener. The package contains only tests.
//
// CONTRIBUTING.md says how to run the simulations.
package sim
