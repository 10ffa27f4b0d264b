// Package notifications is the command of channels and rules: who is told of what happens
// to orgs. Package notify sends; here they are listed, edited and tested.
//
// Start reading at [New].
package notifications
