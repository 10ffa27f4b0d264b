package access

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"
)

// What is wrong with a password file is said by line, without the hash.
func TestPasswordFileFaults(t *testing.T) {
	good := hashed(t, "x")
	heavy := strings.Replace(good, "m=64", "m=4194304", 1)
	for text, want := range map[string]string{
		"":                                      "it names no user",
		"# nobody\n\n":                          "it names no user",
		"alice:admin:" + good + "\nbob:" + good: "line 2: it must be user:role:hash",
		"\nalice:root:" + good:                  `line 2: user alice: the role must be viewer or admin, not "root"`,
		":admin:" + good:                        "line 1: a user's name must have",
		"al\x01ice:admin:" + good:               "line 1: a user's name must have",
		"alice:admin:open sesame":               "line 1: user alice: the hash is not one of argon2id",
		"alice:admin:$2y$10$abcdefghijklmnopqrstuv":             "line 1: user alice: the hash is not one of argon2id",
		"alice:admin:" + heavy:                                  "line 1: user alice: the hash takes more than 256 MiB",
		"alice:admin:" + strings.Replace(good, "t=1", "t=0", 1): "line 1: user alice: the hash is too weak",
		"alice:admin:" + strings.Replace(good, "p=1", "p=0", 1): "line 1: user alice: the hash is too weak",
		"alice:admin:$argon2id$v=19$m=64,t=1,p=1$YQ$YQ":         "line 1: user alice: the hash is too weak",
		"alice:admin:" + good + "\nalice:viewer:" + good:        "line 2: user alice has a line already",
	} {
		path := filepath.Join(t.TempDir(), "passwords")
		writeFile(t, path, text)
		err := CheckPasswordFile(path)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "$") || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
	if err := CheckPasswordFile(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestHashPassword(t *testing.T) {
	hash, err := HashPassword("open sesame")
	if err != nil || checkHash(hash) != nil {
		t.Fatalf("%s, %v", hash, err)
	}
	if same, err := argon2id.ComparePasswordAndHash("open sesame", hash); err != nil || !same {
		t.Errorf("%v, %v", same, err)
	}
	for _, password := range []string{"", strings.Repeat("a", mostPassword+1)} {
		if _, err := HashPassword(password); err == nil {
			t.Errorf("a password of %d bytes is hashed", len(password))
		}
	}
}

// A user who does not exist costs one comparison, as one who does: with a hash that
// HashPassword makes.
func TestUnknownUserCostsTheSame(t *testing.T) {
	f := withPasswords(t)
	compared := []string{}
	f.access.passwords.compare = func(_, hash string) (bool, error) {
		compared = append(compared, hash)
		return true, nil // even so
	}
	if got := f.login(f.browser(), "mallory", "x"); got.status != 401 {
		t.Errorf("an unknown user gets in: %d", got.status)
	}
	if got := f.login(f.browser(), "alice", "x"); got.status != 303 {
		t.Errorf("a known one: %d", got.status)
	}
	if len(compared) != 2 || compared[0] == compared[1] || checkHash(compared[0]) != nil {
		t.Errorf("compared with %q", compared)
	}
	p, err := openPasswords(f.file, f.access.log)
	if err != nil {
		t.Fatal(err)
	}
	params, _, _, err := argon2id.DecodeHash(p.dummy)
	if err != nil || params.Memory != hashing.Memory || params.Iterations != hashing.Iterations {
		t.Errorf("%+v, %v", params, err)
	}
}
