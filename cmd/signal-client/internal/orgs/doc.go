// Package orgs is the use cases of integrations: it reads, finds, edits, redacts, checks
// and imports values of the bucket INTEGRATIONS, and sends an org one request to test its
// credential.
//
// It prints nothing and knows no flags, so that any front end can call it. Its errors are
// those of package problem. Start at [Value], then [Find], [Change], [Prepare] and
// [Probe].
package orgs
