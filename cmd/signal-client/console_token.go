package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

const consoleTokenLong = `Make, list and revoke the API tokens with which scripts use the console.

A token has a role: a viewer reads the status and searches, an admin also changes
integrations. It is stored hashed in the bucket CONSOLE, and works at every console on
that NATS until it is revoked. Scripts send it as: Authorization: Bearer <token>

Examples:
  signal-client console token new --role viewer --name grafana
  curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/api/v1/fleet
  signal-client console token list
  signal-client console token revoke k3v9x2mqabcd`

// consoleTokens is the commands below console token.
type consoleTokens struct{ *cli.CommandContext }

func newConsoleToken(p *cli.Program) *cobra.Command {
	c := &consoleTokens{&cli.CommandContext{Program: p}}
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke API tokens",
		Long:  consoleTokenLong,
		Args:  cli.KnownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.newNew(), c.newList(), c.newRevoke())
	return cmd
}

func (c *consoleTokens) newNew() *cobra.Command {
	name, role := "", access.RoleViewer
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make an API token, and print it once",
		Long:  "Make an API token, and print it. It can't be shown again.\n\nExamples:\n  signal-client console token new --role viewer --name grafana",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := refuseRole(role); err != nil {
				return err
			}
			if name == "" {
				return problem.Usage("--name is missing", "it says what the token is for", "--name=grafana")
			}
			store, end, err := c.Connect(cmd)
			if err != nil {
				return err
			}
			defer end()
			if err := store.EnsureConsole(cmd.Context(), 1); err != nil {
				return err
			}
			token, stored, err := access.NewToken(cmd.Context(), &buckets.Logins{Store: store}, name, role)
			if err != nil {
				return err
			}
			c.Say("The token %s of %s (%s). It is not shown again; to revoke it: signal-client console token revoke %s", stored.ID, name, role, stored.ID)
			_, err = fmt.Fprintln(c.Out(), token)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what the token is for: the `name` that changes are logged with")
	cmd.Flags().StringVar((*string)(&role), "role", string(role), "what it may do: the `role` viewer or admin")
	return c.Connection(cmd)
}

// shownToken is a token without its hash.
type shownToken struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	LastUsed  string    `json:"last_used,omitempty"`
}

func (c *consoleTokens) newList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the API tokens",
		Long:    "List the API tokens, with the day on which each was last used, in UTC.\n\nExamples:\n  signal-client console token list --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, end, err := c.Connect(cmd)
			if err != nil {
				return err
			}
			defer end()
			all, err := (&buckets.Logins{Store: store}).Tokens(cmd.Context())
			if err != nil {
				return err
			}
			shown := []shownToken{}
			for _, t := range all {
				shown = append(shown, shownToken{t.ID, t.Name, t.Role, t.CreatedAt, t.LastUsed})
			}
			if asJSON {
				return term.WriteJSON(c.Out(), shown)
			}
			return c.print(shown)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c.Connection(cmd)
}

func (c *consoleTokens) print(all []shownToken) error {
	out := c.Out()
	if len(all) == 0 && out.Terminal {
		_, err := fmt.Fprintln(out, "No API tokens yet. Make one: signal-client console token new --role viewer --name <name>")
		return err
	}
	g := term.Grid{Title: term.Count(len(all), "API token"), Header: []string{"id", "name", "role", "created", "last used"}}
	for _, t := range all {
		used := t.LastUsed
		if used == "" {
			used = "never"
		}
		g.Rows = append(g.Rows, []any{t.ID, t.Name, t.Role, t.CreatedAt, used})
	}
	return g.Print(out)
}

func (c *consoleTokens) newRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke <id>",
		Short: "Revoke an API token",
		Long:  "Revoke an API token: the next request with it is refused, at every console.\n\nExamples:\n  signal-client console token revoke k3v9x2mqabcd",
		Args:  cli.Named(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, end, err := c.Connect(cmd)
			if err != nil {
				return err
			}
			defer end()
			err = (&buckets.Logins{Store: store}).Revoke(cmd.Context(), args[0])
			if errors.Is(err, jets.ErrNoMessage) {
				return &problem.Error{Op: "revoke " + args[0], Err: errors.New("there is no such API token"), Hint: "signal-client console token list", Code: problem.Failed}
			}
			if err == nil {
				c.Say("The token %s is revoked.", args[0])
			}
			return err
		},
	}
	return c.Connection(cmd)
}
