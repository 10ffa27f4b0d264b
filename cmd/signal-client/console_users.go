package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
)

// newConsoleCommand makes the command console with its subcommands.
func newConsoleCommand(p *cli.Program) *cobra.Command {
	cmd := run.NewConsoleCommand(p, newConsole)
	cmd.AddCommand(newHashPassword(p), newConsoleToken(p))
	return cmd
}

const hashPasswordLong = `Print the argon2id hash of a password, for SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE.

The password is asked for twice on a terminal, and is the first line of standard input
otherwise. With --user the output is the whole line of that file:

  <user>:<role>:<hash>

Lines that begin with # are comments. The file is read again when it changes; who is
removed from it, or gets another password, is logged out.

Examples:
  signal-client console hash-password --user ana --role admin >> users
  pass show console/ana | signal-client console hash-password --user ana`

func newHashPassword(p *cli.Program) *cobra.Command {
	var user string
	role := access.RoleViewer
	cmd := &cobra.Command{
		Use:   "hash-password",
		Short: "Print the hash of a password for the console's password file",
		Long:  hashPasswordLong,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := refuseRole(role); err != nil {
				return err
			}
			password, err := askPassword(p, os.Stdin)
			if err != nil {
				return err
			}
			hash, err := access.HashPassword(password)
			if err != nil {
				return problem.Usage("the password can't be used", err.Error(), "another password")
			}
			if user != "" {
				hash = fmt.Sprintf("%s:%s:%s", user, role, hash)
				if err := access.CheckAccount(hash); err != nil {
					return problem.Usage(fmt.Sprintf("--user=%s", user), err.Error(), "a name without colons, such as --user=ana")
				}
			}
			_, err = fmt.Fprintln(p.Out(), hash)
			return err
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "print the line of the password file for this `name`")
	cmd.Flags().StringVar((*string)(&role), "role", string(role), "the user's `role` in that line: viewer or admin")
	return cmd
}

func refuseRole(role access.Role) error {
	if role.Valid() {
		return nil
	}
	return problem.Usage(fmt.Sprintf("--role=%s", role), "there are the roles viewer (everything but changes) and admin", "--role=viewer")
}

// askPassword reads a password: on a terminal twice and unseen, else the first line.
func askPassword(p *cli.Program, in *os.File) (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(in, 1<<20)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(p.Err(), prompt)
		secret, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(p.Err())
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		typed[i] = string(secret)
	}
	if typed[0] != typed[1] {
		return "", problem.Usage("the password can't be used", "the two are not the same", "type it again")
	}
	return typed[0], nil
}
