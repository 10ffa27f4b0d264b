package oktatest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/witfoo/signal-client/schemas"
)

// Events, real ones if there are any, fit the published schema.
func TestSamplesFitTheSchema(t *testing.T) {
	lines := Samples(t)
	for i, line := range lines {
		if err := schemas.Validate("logevent", line); err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
	}
	if len(lines) < 10 {
		t.Errorf("%d events", len(lines))
	}
}

// The named file is the one that is read; without a file, events are made up.
func TestSamplesOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples.ndjson")
	if err := os.WriteFile(path, []byte("{\"a\":1}\n{\"a\":2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(samplesEnv, path)
	if lines := Samples(t); len(lines) != 2 || string(lines[1]) != `{"a":2}` {
		t.Errorf("%q", lines)
	}
	for i, line := range madeUp() {
		if err := schemas.Validate("logevent", line); err != nil {
			t.Errorf("made-up event %d: %v", i+1, err)
		}
	}
}
