package seal

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/witfoo/signal-client/pipeline"
)

// version begins what is sealed.
const version = "x1."

// Keys are the keys of a file: one a line, the first seals, all open. A changed file is
// read again, by Look and when none of the keys opens something. However it is printed, it
// shows nothing of the keys. It is safe for concurrent use.
type Keys struct{ *file }

var _ pipeline.Keys = Keys{}

// file is a file of keys as last read.
type file struct {
	path string

	mu      sync.Mutex
	seen    stamp
	keys    []key
	changed chan struct{} // closed when keys is replaced
}

// key is a pair of keys. What is sealed for its own public key needs it to be opened.
type key struct {
	pair   nkeys.KeyPair
	public string
}

// stamp is by what a changed file is recognised.
type stamp struct {
	size int64
	at   time.Time
	info os.FileInfo
}

func (s stamp) same(t stamp) bool {
	return s.size == t.size && s.at.Equal(t.at) && os.SameFile(s.info, t.info)
}

// most is larger than any file of keys.
const most = 64 << 10

// Open reads a file of keys. Its error says which line is no key, and shows none.
func Open(ctx context.Context, path string) (Keys, error) {
	f := &file{path: path, changed: make(chan struct{})}
	_, err := f.read(ctx)
	return Keys{f}, err
}

// Public returns the public keys, in the order of the file.
func (k Keys) Public() []string {
	var all []string
	for _, key := range k.current() {
		all = append(all, key.public)
	}
	return all
}

// Path returns the file's path.
func (k Keys) Path() string { return k.path }

// Format prints the public keys, whatever the verb.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// String returns the public keys.
func (k Keys) String() string {
	if k.file == nil {
		return "no keys"
	}
	return strings.Join(k.Public(), " ")
}

// LogValue returns the public keys.
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns the public keys.
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Seal implements pipeline.Keys.
func (k Keys) Seal(data []byte) (string, error) {
	first := k.current()[0]
	sealed, err := first.pair.Seal(data, first.public)
	if err != nil {
		return "", fmt.Errorf("seal with %s: %w", first.public, err)
	}
	return version + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open implements pipeline.Keys. If none of the keys opens it, the file is read again,
// should it have changed: a rotated key takes effect at once.
func (k Keys) Open(sealed string) (data []byte, first bool, err error) {
	text, known := strings.CutPrefix(sealed, version)
	box, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if !known || err != nil {
		return nil, false, errors.New("it is not " + version + " and base64url (set the credential again)")
	}
	if data, first, ok := open(k.current(), box); ok {
		return data, first, nil
	}
	_, _ = k.Look(context.Background()) // with an error, the keys stay
	if data, first, ok := open(k.current(), box); ok {
		return data, first, nil
	}
	return nil, false, fmt.Errorf("no key in %s opens it: %s", k.path, k)
}

func open(keys []key, box []byte) (data []byte, first, ok bool) {
	for n, key := range keys {
		if data, err := key.pair.Open(box, key.public); err == nil {
			return data, n == 0, true
		}
	}
	return nil, false, false
}

// Changed implements pipeline.Keys.
func (k Keys) Changed() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}

func (f *file) current() []key {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys
}

// Look reads the file again if it has changed, and reports whether it has other keys. With
// an error, such as while the file is being replaced, the keys stay.
func (k Keys) Look(ctx context.Context) (changed bool, err error) {
	now, err := stampOf(k.path)
	if err != nil {
		return false, err
	}
	k.mu.Lock()
	same := now.same(k.seen)
	k.mu.Unlock()
	if same {
		return false, nil
	}
	return k.read(ctx)
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.Size(), info.ModTime(), info}, nil
}

// read reads the file.
func (f *file) read(ctx context.Context) (changed bool, err error) {
	seen, err := stampOf(f.path) // before it is read: what is written meanwhile is found next time
	if err != nil {
		return false, err
	}
	data, err := pipeline.ReadFile(ctx, f.path, most)
	if err != nil {
		return false, err
	}
	keys, err := parse(data)
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.path, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = seen
	if slices.EqualFunc(f.keys, keys, func(a, b key) bool { return a.public == b.public }) {
		return false, nil
	}
	f.keys = keys
	close(f.changed)
	f.changed = make(chan struct{})
	return true, nil
}

// ErrNoKeys is the error of a file that has no key.
var ErrNoKeys = errors.New("it has no key: each line is the seed of an XKey, which begins with SX")

// parse reads one seed a line. Empty lines and those that begin with # are ignored.
func parse(data []byte) ([]key, error) {
	var keys []key
	for n, line := range bytes.Split(data, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		pair, err := nkeys.FromCurveSeed(line)
		if err != nil {
			return nil, fmt.Errorf("line %d is no seed of an XKey, which begins with SX (make one: signal-client keys new)", n+1)
		}
		public, err := pair.PublicKey()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		keys = append(keys, key{pair, public})
	}
	if len(keys) == 0 {
		return nil, ErrNoKeys
	}
	return keys, nil
}

// Loose returns what is wrong with the permissions of a file of keys; empty: nothing.
func Loose(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 || !permissions {
		return ""
	}
	return fmt.Sprintf("%s can be read or written by others than its owner (%s)", path, info.Mode().Perm())
}
