package okta

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta/oauth"
)

// Token returns the instance's API token, from its file or variable if it names one. If that
// has none to read in time, the error matches ErrConfig, or is ctx's cause.
func Token(ctx context.Context, i pipeline.Integration) (pipeline.Secret, error) {
	switch {
	case i.TokenFile != "":
		token, err := readToken(ctx, i.FilesDir, i.TokenFile)
		if ctx.Err() != nil {
			return pipeline.Secret{}, context.Cause(ctx)
		}
		if err != nil {
			return pipeline.Secret{}, fmt.Errorf("%w: credentials.api_token_file: %w", pipeline.ErrConfig, err)
		}
		return token, nil
	case i.TokenEnv != "":
		token, err := cleanToken(os.Getenv(i.TokenEnv))
		if err != nil {
			return pipeline.Secret{}, fmt.Errorf("%w: credentials.api_token_env: %s %w", pipeline.ErrConfig, i.TokenEnv, err)
		}
		return token, nil
	}
	return i.Token, nil
}

// credential is the kind's Credential: an API token, or a service app.
func credential(ctx context.Context, i pipeline.Integration) (pipeline.Credential, error) {
	if i.Sealed != "" {
		return pipeline.Secret{}, fmt.Errorf("%w: credentials.sealed: %s", pipeline.ErrConfig, i.Sealed)
	}
	if i.ClientID == "" {
		return Token(ctx, i)
	}
	app := oauth.App{ClientID: i.ClientID, KeyID: i.KeyID, Key: i.PrivateKey}
	if i.PrivateKeyFile == "" {
		return app, nil
	}
	data, err := pipeline.ReadFileBelow(ctx, i.FilesDir, i.PrivateKeyFile, mostToken)
	if ctx.Err() != nil {
		return oauth.App{}, context.Cause(ctx)
	}
	if err == nil {
		if flaw := oauth.Form(string(data)); flaw != nil {
			err = fmt.Errorf("%s %w", i.PrivateKeyFile, flaw)
		}
	}
	if err != nil {
		return oauth.App{}, fmt.Errorf("%w: credentials.private_key_file: %w", pipeline.ErrConfig, err)
	}
	app.Key = pipeline.NewSecret(strings.TrimSpace(string(data)))
	return app, nil
}

// mostToken is longer than any token or key; it bounds what is read from a wrong path.
const mostToken = 64 << 10

func readToken(ctx context.Context, dir, path string) (pipeline.Secret, error) {
	data, err := pipeline.ReadFileBelow(ctx, dir, path, mostToken)
	if err != nil {
		return pipeline.Secret{}, err
	}
	token, err := cleanToken(string(data))
	if err != nil {
		return pipeline.Secret{}, fmt.Errorf("%s %w", path, err)
	}
	return token, nil
}

// cleanToken trims a token, removes the byte order mark that some editors write, and
// checks that a header can carry it.
func cleanToken(s string) (pipeline.Secret, error) {
	if strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") {
		return pipeline.Secret{}, errors.New("is UTF-16 text (save it as UTF-8 or plain ASCII)")
	}
	s = strings.TrimSpace(strings.TrimPrefix(s, "\ufeff"))
	if s == "" {
		return pipeline.Secret{}, errors.New("is empty (write the org's API token)")
	}
	if len(s) > 4 && strings.EqualFold(s[:4], "SSWS") && (s[4] == ' ' || s[4] == '\t') {
		return pipeline.Secret{}, errors.New("begins with SSWS (write the token alone)")
	}
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return pipeline.Secret{}, errors.New("holds a space or a character that no token has (write the token alone)")
		}
	}
	return pipeline.NewSecret(s), nil
}
