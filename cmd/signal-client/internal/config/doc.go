// Package config reads the settings: environment variables, the flags that override them,
// and contexts of the nats command. It also connects to NATS by them.
//
// Each section is read and checked separately, so that a command never fails because of a
// variable that it does not use. Integrations in the bucket INTEGRATIONS are not
// settings: package orgs reads those. Start at [Config], then [Load].
package config
