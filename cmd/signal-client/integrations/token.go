package integrations

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

// addTokenFrom adds --token-from: all users of a machine can see a command's arguments.
func addTokenFrom(cmd *cobra.Command, from *string) {
	cmd.Flags().StringVar(from, "token-from", "", "store the API token from this `file`, or from standard input (-)")
	_ = cmd.MarkFlagFilename("token-from")
}

// mostToken is larger than any token.
const mostToken = 64 << 10

// readToken reads a token from a file; "-": from standard input or a terminal.
func (r *integrations) readToken(ctx context.Context, from string) (pipeline.Secret, error) {
	switch {
	case from != "-":
		f, err := os.Open(from)
		if err != nil {
			return pipeline.Secret{}, noToken(from, err)
		}
		defer f.Close()
		return tokenIn(f, from)
	case term.IsTerminal(r.in):
		return r.askToken(ctx)
	}
	return tokenIn(r.in, "standard input")
}

func (r *integrations) askToken(ctx context.Context) (pipeline.Secret, error) {
	typed, err := term.AskHidden(ctx, r.in, r.Err(), "API token (in Okta: Security > API > Tokens; input is hidden): ")
	switch {
	case ctx.Err() != nil:
		return pipeline.Secret{}, ctx.Err()
	case err != nil:
		return pipeline.Secret{}, noToken("the terminal", err)
	}
	return tokenIn(bytes.NewReader(typed), "the terminal")
}

// readPassword reads the password of a proxy's user from a file; "-": standard input.
func (r *integrations) readPassword(from string) (string, error) {
	in := r.in
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return "", noPassword(from, err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, mostToken))
	password := strings.TrimRight(string(data), "\r\n")
	if err == nil && password == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", noPassword(from, err)
	}
	return password, nil
}

func noPassword(where string, err error) error {
	return &problem.Error{Op: "read the proxy's password from " + where, Err: err, Hint: "--proxy-password-from <file>", Code: problem.BadUsage}
}

// tokenIn reads input that is nothing but a token; the parser checks whether it is valid.
func tokenIn(from io.Reader, where string) (pipeline.Secret, error) {
	data, err := io.ReadAll(io.LimitReader(from, mostToken))
	if err != nil {
		return pipeline.Secret{}, noToken(where, err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return pipeline.Secret{}, noToken(where, errors.New("it is empty"))
	}
	return pipeline.NewSecret(token), nil
}

func noToken(where string, err error) error {
	return &problem.Error{
		Op:   "read the API token from " + where,
		Err:  err,
		Hint: "--token-from <file>, or --token-file <path> for a file that the service reads; create a token in Okta under Security > API > Tokens",
		Code: problem.BadUsage,
	}
}
