package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
)

// made returns keys of a new file.
func made(t *testing.T) Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret.key")
	if err := Make(path); err != nil {
		t.Fatal(err)
	}
	return opened(t, path)
}

func opened(t *testing.T, path string) Keys {
	t.Helper()
	k, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustSeal(t *testing.T, k Keys, text string) string {
	t.Helper()
	sealed, err := k.Seal([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// What is sealed is x1. and base64url of what an XKey seals for itself, so that other
// programs can read and write it.
func TestForm(t *testing.T) {
	t.Parallel()
	k := made(t)
	seed, err := os.ReadFile(k.Path())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := nkeys.FromCurveSeed(bytes.TrimSpace(seed))
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(mustSeal(t, k, "token"), "x1.")
	box, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil {
		t.Fatalf("%q, %v", text, err)
	}
	if data, err := pair.Open(box, k.Public()[0]); string(data) != "token" {
		t.Errorf("%q, %v", data, err)
	}
	foreign, err := pair.Seal([]byte("other"), k.Public()[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, encoding := range []*base64.Encoding{base64.URLEncoding, base64.RawURLEncoding} {
		if data, first, err := k.Open("x1." + encoding.EncodeToString(foreign)); string(data) != "other" || !first || err != nil {
			t.Errorf("%q, %v, %v", data, first, err)
		}
	}
	for _, sealed := range []string{"", "x1.", "x1.!", "x2." + text, text, "x1." + text[:20], "x1." + text[:len(text)-4] + "AAAA"} {
		if data, _, err := k.Open(sealed); err == nil || data != nil {
			t.Errorf("%.20q opened as %q", sealed, data)
		}
	}
}

// A rotated file opens what its former key has sealed and seals with the new one, for
// those who have it open already, too.
func TestRotation(t *testing.T) {
	t.Parallel()
	k := made(t)
	before, old, changed := mustSeal(t, k, "token"), k.Public()[0], k.Changed()
	if err := Rotate(t.Context(), k.Path()); err != nil {
		t.Fatal(err)
	}
	after := mustSeal(t, opened(t, k.Path()), "token")
	if data, first, err := k.Open(after); string(data) != "token" || !first || err != nil {
		t.Errorf("with the file as it was: %q, %v, %v", data, first, err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told that there is another key")
	}
	if data, first, err := k.Open(before); string(data) != "token" || first || err != nil {
		t.Errorf("what the former key has sealed: %q, %v, %v", data, first, err)
	}
	if all := k.Public(); len(all) != 2 || all[1] != old {
		t.Errorf("keys %v, want another one before %s", all, old)
	}
	if changed, err := k.Look(t.Context()); changed || err != nil {
		t.Errorf("an unchanged file: %v, %v", changed, err)
	}
	if info, err := os.Stat(k.Path()); err != nil || permissions && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// While the file is broken or away, the keys stay.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	k := made(t)
	sealed := mustSeal(t, k, "token")
	for _, content := range []string{"", "# nothing\n", "SXNOTAKEY\n", "S3C-R3T\n"} {
		if err := os.WriteFile(k.Path(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if changed, err := k.Look(t.Context()); changed || err == nil || strings.Contains(err.Error(), "S3C-R3T") {
			t.Errorf("%q: %v, %v", content, changed, err)
		}
		if _, err := Open(t.Context(), k.Path()); err == nil {
			t.Errorf("%q was opened", content)
		}
	}
	if err := os.Remove(k.Path()); err != nil {
		t.Fatal(err)
	}
	if data, _, err := k.Open(sealed); string(data) != "token" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}

// A key is never overwritten.
func TestMake(t *testing.T) {
	t.Parallel()
	k := made(t)
	if err := Make(k.Path()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	if err := MakeMissing(k.Path()); err != nil {
		t.Error(err)
	}
	if now := opened(t, k.Path()); now.String() != k.String() {
		t.Errorf("%s became %s", k, now)
	}
	path := filepath.Join(t.TempDir(), "secret.key")
	if err := MakeMissing(path); err != nil {
		t.Fatal(err)
	}
	if opened(t, path); permissions && Loose(path) != "" {
		t.Error(Loose(path))
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if permissions && !strings.Contains(Loose(path), "-rw-r-----") {
		t.Errorf("%q", Loose(path))
	}
}

// However keys are printed or logged, their seeds are not shown.
func TestNoKeyIsShown(t *testing.T) {
	t.Parallel()
	k := made(t)
	data, err := os.ReadFile(k.Path())
	if err != nil {
		t.Fatal(err)
	}
	seed := strings.TrimSpace(string(data))
	pair, err := nkeys.FromCurveSeed([]byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	private, err := pair.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Public  Keys
		private Keys
		Any     any
	}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range []any{k, &k, holder{k, k, k}, []any{k}, map[string]any{"k": k}} {
		for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "d"} {
			fmt.Fprintf(&out, "%"+verb+"\n", v)
		}
		log.Info("keys", "keys", v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Error(err)
		}
	}
	raw := fmt.Sprintf("%x", data)
	if text := out.String(); strings.Contains(text, seed) || strings.Contains(text, string(private)) || strings.Contains(text, raw) || !strings.Contains(text, k.Public()[0]) {
		t.Errorf("shown:\n%s", text)
	}
}
