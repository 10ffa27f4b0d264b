package dockerfile

import (
	"os"
	"path/filepath"
	"testing"
)

// What this package does not know is an error.
func TestUnknownInstruction(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"FROM scratch\nADD a b\n", "FROM debian\n", "FROM scratch\nHEALTHCHECK --retries=2 CMD [\"/a\"]\n"} {
		path := filepath.Join(t.TempDir(), "Dockerfile")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Read(path, nil); err == nil {
			t.Errorf("%q is taken: %+v", text, s)
		}
	}
}
