package oktatest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// samplesEnv names a file of real events, one a line.
const samplesEnv = "SIGNAL_CLIENT_SAMPLES"

// Samples returns real events, which are no part of the project: those of the file
// that SIGNAL_CLIENT_SAMPLES names, or else of ../shared/okta/samples.ndjson beside
// the checkout. Where there is neither, it returns made-up events instead: what is
// held against them is tested everywhere, and the log says against which.
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
		t.Logf("no real events (%v): made-up ones stand in", err)
		return madeUp()
	}
	t.Logf("real events of %s", path)
	return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
}

// checkout is the folder of go.mod.
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
