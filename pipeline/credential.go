package pipeline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Secret is the instance's API token, read from its file when it names one. The
// error of a file that can't be read, or holds no token, matches ErrConfig.
func (i Integration) Secret() (Secret, error) {
	if i.TokenFile == "" {
		return i.Token, nil
	}
	token, err := readToken(i.TokenFile)
	if err != nil {
		return Secret{}, fmt.Errorf("%w: credentials.api_token_file: %w", ErrConfig, err)
	}
	return token, nil
}

// mostToken is more than any token takes, and less than a wrong path may hold.
const mostToken = 64 << 10

func readToken(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostToken))
	if err != nil {
		return Secret{}, err
	}
	token, err := cleanToken(string(data))
	if err != nil {
		return Secret{}, fmt.Errorf("%s %w", path, err)
	}
	return token, nil
}

// cleanToken trims a token and checks that a header can carry it.
func cleanToken(s string) (Secret, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Secret{}, errors.New("is empty (write the org's API token)")
	}
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return Secret{}, errors.New("holds a space or a character that no token has (paste the token alone, without SSWS)")
		}
	}
	return NewSecret(s), nil
}
