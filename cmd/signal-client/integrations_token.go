package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/witfoo/signal-client/pipeline"
)

// tokenFlag is how add and set take a token: never from an argument, which all
// users of a machine can see.
type tokenFlag struct {
	from string // a file; "-": standard input
}

const (
	tokenFromUsage = "store the API token that stands in this `file`, or on standard input (-)"
	mostToken      = 64 << 10
)

func (t *tokenFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.from, "token-from", "", tokenFromUsage)
	_ = cmd.MarkFlagFilename("token-from")
}

// readToken reads a token from where the flag says.
func (r *roster) readToken(ctx context.Context, from string) (pipeline.Secret, error) {
	switch {
	case from != "-":
		f, err := os.Open(from)
		if err != nil {
			return pipeline.Secret{}, noToken(from, err)
		}
		defer f.Close()
		return tokenIn(f, from)
	case term.IsTerminal(int(r.in.Fd())):
		return r.askToken(ctx)
	}
	return tokenIn(r.in, "standard input")
}

// askToken asks on the terminal, and shows nothing of what is typed or pasted.
// Told to end meanwhile, it leaves behind a terminal that echoes again.
func (r *roster) askToken(ctx context.Context) (pipeline.Secret, error) {
	fd := int(r.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return pipeline.Secret{}, noToken("the terminal", err)
	}
	defer func() { _ = term.Restore(fd, before) }()
	defer fmt.Fprintln(r.Err())
	fmt.Fprint(r.Err(), "API token (in Okta: Security > API > Tokens; nothing is shown): ")
	type result struct {
		typed []byte
		err   error
	}
	answer := make(chan result, 1)
	go func() {
		typed, err := term.ReadPassword(fd)
		answer <- result{typed, err}
	}()
	select {
	case <-ctx.Done():
		return pipeline.Secret{}, ctx.Err()
	case a := <-answer:
		if a.err != nil {
			return pipeline.Secret{}, noToken("the terminal", a.err)
		}
		return tokenIn(bytes.NewReader(a.typed), "the terminal")
	}
}

// tokenIn reads what must be a token and nothing else. Whether it can be one, the
// reader of the integration says.
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
	return &problem{
		Op:   "read the API token from " + where,
		Err:  err,
		Hint: "--token-from <file>, or --token-file <path> for a file that the service reads; Okta makes tokens under Security > API > Tokens",
		Code: exitUsage,
	}
}
