package config

import (
	"context"
	"fmt"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
)

// ConsoleAddress is where commands reach the console: at the URL of Console.
type ConsoleAddress struct {
	URL string `envconfig:"SIGNAL_CLIENT_CONSOLE_URL"` // empty: on this machine
}

func (c *ConsoleAddress) faults() []error { return (&Console{URL: c.URL}).faults() }

// ConsoleToken is how commands get into the console.
type ConsoleToken struct {
	File string `envconfig:"SIGNAL_CLIENT_CONSOLE_TOKEN_FILE" desc:"file of an API token of the console, with which the command search asks it"`
}

func (c *ConsoleToken) faults() []error { return nil }

// Token returns the API token; the zero Secret: none.
func (c *ConsoleToken) Token() (pipeline.Secret, error) {
	if c.File == "" {
		return pipeline.Secret{}, nil
	}
	text, err := pipeline.ReadFile(context.Background(), c.File, 1<<10)
	if err != nil {
		return pipeline.Secret{}, problem.Usage("SIGNAL_CLIENT_CONSOLE_TOKEN_FILE="+c.File, fmt.Sprint(err), "SIGNAL_CLIENT_CONSOLE_TOKEN_FILE=<a file that this user can read>")
	}
	return pipeline.NewSecret(strings.TrimSpace(string(text))), nil
}
