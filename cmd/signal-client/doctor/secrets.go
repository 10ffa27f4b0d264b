package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/seal"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/buckets"
)

// keyFile checks the file of the keys that seal credentials.
func (s *surroundings) keyFile(_ context.Context, d *observation) {
	path, own := s.secrets.Path(s.nats, s.server)
	switch {
	case s.keysErr != nil:
		d.failed(s.keysErr)
		return
	case path == "":
		d.skip("SIGNAL_CLIENT_SECRET_KEY_FILE is not set")
		return
	case s.opened.Keys == nil && own:
		d.skip(path + " does not exist, or this user can't read it: the service makes it at its start")
		return
	}
	path, _ = filepath.Abs(path)
	if loose := seal.Loose(path); loose != "" {
		d.warn(loose, "chmod 600 "+path)
	}
	d.fact("%s: %s", path, s.opened.Keys)
}

// credentials checks that no secret is in INTEGRATIONS in plain, and that what is sealed
// can be opened.
func (s *surroundings) credentials(ctx context.Context, d *observation) {
	if s.writtenErr != nil {
		d.failed(s.writtenErr)
		return
	}
	seal := "signal-client keys seal"
	if s.opened.Keys == nil {
		seal = "signal-client keys new, and SIGNAL_CLIENT_SECRET_KEY_FILE for each process; then: " + seal
	}
	by, shut := map[buckets.Sealing][]string{}, ""
	var moved []string
	for _, instance := range s.asks() {
		w := s.written[instance]
		by[w.Sealing] = append(by[w.Sealing], instance)
		if len(w.Moved) > 0 {
			moved = append(moved, fmt.Sprintf("%s (%s)", instance, strings.Join(w.Moved, ", ")))
		}
		if w.Sealing == buckets.SealShut {
			shut = w.Shut
		}
	}
	if len(moved) > 0 {
		d.warn("INTEGRATIONS has fields outside of their places, which are read all the same: "+few(moved), "let their writer use settings.fqdn and credentials.api_token")
	}
	if plain := by[buckets.SealPlain]; len(plain) > 0 {
		d.warn(fmt.Sprintf("INTEGRATIONS holds the credentials of %s in plain: %s", term.Count(len(plain), "org"), few(plain)), seal)
	}
	former, err := s.integrations.FormerPlain(ctx)
	if err != nil {
		d.failed(fmt.Errorf("read former values of INTEGRATIONS: %w", err))
	}
	if len(former) > 0 {
		d.warn(fmt.Sprintf("former values in INTEGRATIONS hold the credentials of %s in plain: %s", term.Count(len(former), "org"), few(former)), seal)
	}
	if none := by[buckets.SealShut]; len(none) > 0 && s.opened.Keys != nil {
		d.wrong(fmt.Sprintf("sealed credentials can't be opened here, of %s: %s: %s", term.Count(len(none), "org"), few(none), shut),
			"SIGNAL_CLIENT_SECRET_KEY_FILE=<a file with the key that has sealed them>; or set them again: signal-client integrations set <name> --token-from <file>")
	} else if len(none) > 0 {
		d.fact("%s sealed, this command has no key", term.Count(len(none), "org"))
	}
	if old := by[buckets.SealOther]; len(old) > 0 {
		d.fact("%s sealed with a former key (signal-client keys seal)", term.Count(len(old), "org"))
	}
	if now := by[buckets.SealFirst]; len(now) > 0 || len(d.facts) == 0 {
		d.fact("%s sealed", term.Count(len(now), "org"))
	}
}
