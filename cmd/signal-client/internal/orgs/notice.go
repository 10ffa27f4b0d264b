package orgs

import (
	"fmt"

	"github.com/witfoo/signal-client/pipeline"
)

// CredentialNotice returns what is to be known of an org's credential besides its state; empty:
// nothing.
func CredentialNotice(s pipeline.Status) string {
	if s.Next != nil {
		return fmt.Sprintf("not changed to the new credential (%s) yet: %s", s.Next.From, s.Next.Error)
	}
	return ""
}
