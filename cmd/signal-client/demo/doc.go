// Package demo is the command demo: the service of package run on simulated orgs and
// an embedded NATS server, with a comparison of both at its end.
//
// Nothing of it is taken from the environment but where to listen. Start at [New].
package demo
