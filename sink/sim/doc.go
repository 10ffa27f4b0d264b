// Package sim simulates pollers and fleets: orgs, a real server and processes in one
// bubble of fake time, with whatever may befall them. It has tests alone, which use the
// sink and the source as the program does.
//
// What the simulations found is told in package signals. How to run one is in
// CONTRIBUTING.md.
package sim
