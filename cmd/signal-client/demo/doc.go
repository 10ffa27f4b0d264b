// Package demo is the command demo: it runs package run's service on simulated orgs and
// an embedded NATS server, and compares both at the end.
//
// It takes only the listen address from the environment. Start at [New].
package demo
