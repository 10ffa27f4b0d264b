// Package config reads the settings: variables in the environment, the flags that
// override them, and contexts of the nats command. It also dials NATS as they say.
//
// Each section is read and checked by itself, so that a command is never refused
// for a variable that it does not use. Integrations in the bucket INTEGRATIONS are
// not settings: package orgs reads those. Start at [Config], then [Load].
package config
