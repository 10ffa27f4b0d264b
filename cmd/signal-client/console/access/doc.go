// Package access decides who may use the console, and as what.
//
// On a loopback address everyone who reaches the listener is the admin "local", if the
// Host of the request is a loopback name. Elsewhere users are those of a password file,
// of an OpenID Connect provider or of a trusted proxy; scripts send an API token. It does
// not decide what a role may do: handlers say so with [Require].
//
// It holds no session and no token itself: they are in the bucket CONSOLE, so that every
// process can answer a browser. Start at [Access.Wrap].
package access
