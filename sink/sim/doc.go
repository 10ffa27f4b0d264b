// Package sim simulates pollers and fleets: orgs, a real server and processes in one
// synctest bubble of fake time, with random faults. It contains only tests, which use the
// sink and the source as the program does.
//
// Package signals describes what the simulations found. CONTRIBUTING.md says how to run
// them.
package sim
