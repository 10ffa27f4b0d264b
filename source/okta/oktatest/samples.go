package oktatest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// samplesEnv names a file of real events, one per line.
const samplesEnv = "SIGNAL_CLIENT_SAMPLES"

// Samples returns real events, which are not part of the project: those in the file that
// SIGNAL_CLIENT_SAMPLES names, or else in ../shared/okta/samples.ndjson beside the
// checkout. If there is neither, it returns made-up events instead, so that tests with
// them run everywhere; the log says which ones were used.
func Samples(t testing.TB) [][]byte {
	t.Helper()
	path, asked := os.LookupEnv(samplesEnv)
	if path == "" {
		path = filepath.Join(checkout(t), "..", "shared", "okta", "samples.ndjson")
	}
	text, err := os.ReadFile(path)
	if err != nil && asked {
		t.Fatalf("read what %s names: %v", samplesEnv, err)
	}
	if err != nil {
		t.Logf("no real events (%v): made-up ones are used", err)
		return madeUp()
	}
	t.Logf("real events from %s", path)
	return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
}

// checkout returns the folder of go.mod.
func checkout(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			err = os.ErrNotExist
		}
	}
	t.Fatalf("find go.mod: %v", err)
	return ""
}

func madeUp() [][]byte {
	o := New(Config{})
	o.Generate(100, 24*time.Hour)
	var lines [][]byte
	for _, e := range o.Events() {
		lines = append(lines, e.Data)
	}
	return lines
}
