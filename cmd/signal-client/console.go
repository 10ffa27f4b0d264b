package main

import (
	"log/slog"

	"github.com/witfoo/signal-client/cmd/signal-client/console"
	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
)

// newConsole makes the console that run and demo serve.
func newConsole(_ config.Config, log *slog.Logger) (run.Console, error) {
	who, err := access.New(access.Config{})
	if err != nil {
		return nil, err
	}
	return &console.Console{Access: who, Log: log}, nil
}
