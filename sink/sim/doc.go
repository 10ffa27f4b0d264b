// Package sim simulates pollers: an org, a real server and processes in one synctest bubble
// of fake time, with random faults. It contains only tests, which use the sink and the
// source as the program does. Package run/sim of the command simulates whole processes.
//
// Package signals describes what the simulations found. CONTRIBUTING.md says how to run
// them.
package sim
