// Package run is the command run: the service. It connects to NATS, creates
// streams and buckets, holds locks, polls the instances that it owns, and serves
// /healthz, /readyz and /metrics.
//
// Exactness is the sinks'; this package only connects sources, sinks and telemetry, and
// determines the order in which they start and end. Start at [Service], then work.go, and
// assembly.go for how one instance is polled.
package run
