// Package compose tests the files of deployments/compose: what they say, and what becomes
// of it. Where no engine runs, their containers of signal-client and NATS run as processes
// of this machine; see system.
package compose
