package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/alexedwards/argon2id"

	"github.com/witfoo/signal-client/pipeline"
)

// hashing is how HashPassword hashes: about a tenth of a second of one core.
var hashing = argon2id.Params{Memory: 64 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// Bounds of the hashes of a password file: each login costs that much.
const (
	mostHashMemory = 256 << 10 // KiB
	mostHashRounds = 16
	leastHashKey   = 16 // bytes
	leastHashSalt  = 8
)

// Bounds of what is read.
const (
	mostPassword     = 1 << 10
	mostPasswordFile = 1 << 20
	mostUserName     = 100
)

// HashPassword returns the argon2id hash of a password, for a password file.
func HashPassword(password string) (string, error) {
	switch {
	case password == "":
		return "", errors.New("the password is empty")
	case len(password) > mostPassword:
		return "", fmt.Errorf("the password has more than %d bytes", mostPassword)
	}
	return argon2id.CreateHash(password, &hashing)
}

// account is a user of the password file.
type account struct {
	name, hash string
	role       Role
}

// proof changes with the password: a session that was begun with another one is void.
func (u account) proof() string {
	sum := sha256.Sum256([]byte(u.hash))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// passwordFile is the users of a file, which is read again when it changes. It is safe
// for concurrent use.
type passwordFile struct {
	path    string
	log     *slog.Logger
	compare func(password, hash string) (bool, error) // argon2id.ComparePasswordAndHash
	dummy   string                                    // compared for users that don't exist
	busy    pipeline.Gate                             // a comparison takes much memory

	mu    sync.Mutex
	state fileState
	users map[string]account
}

// fileState tells versions of a file apart.
type fileState struct {
	changed time.Time
	size    int64
}

func openPasswords(path string, log *slog.Logger) (*passwordFile, error) {
	dummy, err := argon2id.CreateHash("nobody", &hashing)
	if err != nil {
		return nil, err
	}
	p := &passwordFile{path: path, log: log, compare: argon2id.ComparePasswordAndHash, dummy: dummy, busy: pipeline.Gate{Capacity: 2}}
	if p.state, err = stateOf(path); err != nil {
		return nil, err
	}
	p.users, err = readPasswords(path)
	return p, err
}

// CheckPasswordFile returns what is wrong with a password file.
func CheckPasswordFile(path string) error {
	_, err := readPasswords(path)
	return err
}

func stateOf(path string) (fileState, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}, withoutPath(err)
	}
	return fileState{info.ModTime(), info.Size()}, nil
}

func readPasswords(path string) (map[string]account, error) {
	data, err := pipeline.ReadFile(context.Background(), path, mostPasswordFile)
	if err != nil {
		return nil, withoutPath(err)
	}
	users := map[string]account{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		u, err := readAccount(line)
		if _, twice := users[u.name]; err == nil && twice {
			err = fmt.Errorf("user %s has a line already", u.name)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		users[u.name] = u
	}
	if len(users) == 0 {
		return nil, errors.New("it names no user")
	}
	return users, nil
}

// withoutPath leaves the path out, which the caller names.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// readAccount reads a line. Its errors show nothing of the hash.
func readAccount(line string) (account, error) {
	parts := strings.Split(line, ":")
	if len(parts) != 3 {
		return account{}, errors.New("it must be user:role:hash, as signal-client console hash-password prints it")
	}
	u := account{name: strings.TrimSpace(parts[0]), role: Role(strings.TrimSpace(parts[1])), hash: strings.TrimSpace(parts[2])}
	switch {
	case u.name == "" || len(u.name) > mostUserName || strings.ContainsFunc(u.name, unicode.IsControl):
		return u, fmt.Errorf("a user's name must have 1 to %d bytes", mostUserName)
	case !u.role.Valid():
		return u, fmt.Errorf("user %s: the role must be viewer or admin, not %q", u.name, u.role)
	}
	if err := checkHash(u.hash); err != nil {
		return u, fmt.Errorf("user %s: %w", u.name, err)
	}
	return u, nil
}

func checkHash(hash string) error {
	p, salt, key, err := argon2id.DecodeHash(hash)
	switch {
	case err != nil:
		return errors.New("the hash is not one of argon2id; make one with: signal-client console hash-password")
	case p.Iterations < 1 || p.Parallelism < 1 || p.Memory < 8*uint32(p.Parallelism) || len(salt) < leastHashSalt || len(key) < leastHashKey:
		return errors.New("the hash is too weak; make one with: signal-client console hash-password")
	case p.Memory > mostHashMemory || p.Iterations > mostHashRounds:
		return fmt.Errorf("the hash takes more than %d MiB or %d rounds, which each login would cost; make one with: signal-client console hash-password", mostHashMemory>>10, mostHashRounds)
	}
	return nil
}

// Check returns the user whose password it is. An unknown user costs the same work as a
// known one.
func (p *passwordFile) Check(ctx context.Context, name, password string) (account, bool) {
	u, known := p.User(name)
	hash := u.hash
	if !known {
		hash = p.dummy
	}
	grant, err := p.busy.Take(ctx, 1, false)
	if err != nil {
		return account{}, false
	}
	defer grant.Release()
	same, err := p.compare(password, hash)
	return u, known && same && err == nil
}

// User returns a user of the file as it is now.
func (p *passwordFile) User(name string) (account, bool) {
	p.reload()
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.users[name]
	return u, ok
}

// reload reads a file that has changed. A faulty one is logged once, and the former users
// stay until it is corrected.
func (p *passwordFile) reload() {
	state, err := stateOf(p.path)
	if !p.changed(state) {
		return
	}
	var users map[string]account
	if err == nil {
		users, err = readPasswords(p.path)
	}
	if err != nil {
		p.log.Error("console: the password file is not used until it is corrected; the former users stay", "file", p.path, "err", err)
		return
	}
	p.log.Info("console: the password file was read again", "file", p.path, "users", len(users))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users = users
}

// changed reports whether the file has another state than before, and notes it.
func (p *passwordFile) changed(state fileState) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := state != p.state
	p.state = state
	return changed
}

// CheckAccount returns what is wrong with a line of a password file.
func CheckAccount(line string) error {
	_, err := readAccount(line)
	return err
}
