// Package run is the command run: one process at work. It connects to NATS, makes
// streams and buckets, holds locks, polls the instances that are its share, and
// serves /healthz, /readyz and /metrics.
//
// What is exact is so by the sinks; this package only puts sources, sinks and
// telemetry together and decides the order in which they start and end. Start at
// [Service], then work.go, and assembly.go for how one instance is polled.
package run
