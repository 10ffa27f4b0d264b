// Package orgs is the use cases of integrations: their values in the bucket
// INTEGRATIONS are read, found, edited, redacted, checked and imported here, and an
// org is asked once to see whether its credential works.
//
// It prints nothing and knows no flag, so that any front end can call it. What is
// wrong is returned as an error of package problem. Start at [Value], then [Find],
// [Change], [Prepare] and [Probe].
package orgs
