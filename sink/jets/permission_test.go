package jets

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// A refusal is matched by its exact subject.
func TestDenied(t *testing.T) {
	s := jetstest.Config{Password: "secret", Deny: "private.>"}.Run(t)
	c := dial(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Denied(nil); err != nil {
		t.Errorf("before any refusal: %v", err)
	}
	for _, subject := range []string{"private.a", `private."a".b\c`, "private.ü"} {
		for _, p := range []struct {
			Permission
			allowed bool
		}{{Permission{Subject: subject}, false}, {Permission{Subject: "public"}, true}} {
			if allowed, err := p.Try(ctx, c); err != nil || allowed != p.allowed {
				t.Errorf("%s: allowed %v, %v", p.Subject, allowed, err)
			}
		}
		for about, denied := range map[string]bool{subject: true, subject + ".b": false, "private": false, "public": false} {
			if err := c.DeniedOn(about); errors.Is(err, nats.ErrPermissionViolation) != denied || (err != nil) != denied {
				t.Errorf("after a refusal of %s, asked about %s: %v", subject, about, err)
			}
		}
	}
	if err := c.Denied(nil); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("asked about any subject: %v", err)
	}
}
