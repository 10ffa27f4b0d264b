// Package bench measures the figures that the project promises. The tasks bench,
// bench:fleet and bench:replay print them, each beside its target; README.md has those of
// one machine. The figures are no tests: no time is asserted, because it depends on the
// machine and its load.
//
// What is measured runs as in production: the built program, the nats-server and the
// simulated org are processes of their own.
package bench
