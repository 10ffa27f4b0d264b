package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// A token in a mounted secret, whose directory is a link that is swapped, is taken up within
// seconds; a file outside SIGNAL_CLIENT_SECRETS_DIR is not read.
func TestMountedSecret(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		dir := o.TempDir()
		mount := func(version, token string) {
			o.Helper()
			if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
				o.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, version, "token"), []byte(token), 0o600); err != nil {
				o.Fatal(err)
			}
			if err := os.Symlink(version, filepath.Join(dir, "..next")); err != nil {
				o.Skip(err)
			}
			if err := os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")); err != nil {
				o.Fatal(err)
			}
		}
		mount("..1", "right-token")
		token := filepath.Join(dir, "token")
		if err := os.Symlink("..data/token", token); err != nil {
			o.Fatal(err)
		}
		outside := filepath.Join(o.TempDir(), "token")
		if err := os.WriteFile(outside, []byte("right-token"), 0o600); err != nil {
			o.Fatal(err)
		}
		o.dir = dir
		o.start("a", config.Okta{})
		time.Sleep(time.Minute)
		o.put("acme", withCredentials(`{"api_token_file":"`+token+`"}`))
		o.put("globex", strings.ReplaceAll(withCredentials(`{"api_token_file":"`+outside+`"}`), "acme", "globex"))
		time.Sleep(time.Minute)
		if s := o.status("acme"); s.State != pipeline.StatePolling {
			o.Errorf("a mounted secret: %+v", s)
		}
		if s := o.status("globex"); s.State != pipeline.StateConfig || !strings.Contains(s.LastError, "it is not below SIGNAL_CLIENT_SECRETS_DIR") {
			o.Errorf("a file outside: %+v", s)
		}
		o.org.Restore("next-token")
		mount("..2", "next-token")
		time.Sleep(2 * nextLook)
		o.org.Revoke("right-token")
		time.Sleep(2 * time.Minute)
		if s := o.status("acme"); s.State != pipeline.StatePolling || o.org.Stats().Refused > 0 {
			o.Errorf("after the link was swapped: %+v, %d refused", s, o.org.Stats().Refused)
		}
	})
}
