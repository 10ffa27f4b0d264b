// Package telemetry reports what the service does: metrics for Prometheus, spans for
// OpenTelemetry, the status of each instance for STATUS, and advisories on NATS. Each
// listens to the hooks of pipeline.Trace.
//
// No decision is based on it, and no poll waits for it. Start at [Metrics] and
// [StatusBoard].
package telemetry
