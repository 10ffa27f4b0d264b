package orgs

import (
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// CredentialNotice returns what is to be known of an org's credential besides its state; empty:
// nothing.
func CredentialNotice(s pipeline.Status) string {
	if s.Next != nil {
		return fmt.Sprintf("not changed to the new credential (%s) yet: %s", s.Next.From, s.Next.Error)
	}
	if idle := s.TokenIdle(time.Now()); idle > 0 {
		return fmt.Sprintf("the API token was last used %d days ago; %s deletes one that is unused for %d days: enable the org for a poll, or have a new token ready",
			int(idle.Hours()/24), s.Kind.Title, int(s.Kind.TokenIdle.Hours()/24))
	}
	return ""
}
