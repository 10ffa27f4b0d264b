package main

import (
	"log/slog"

	"github.com/witfoo/signal-client/cmd/signal-client/console"
	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
	"github.com/witfoo/signal-client/sink/search"
)

// newConsole makes the console that run and demo serve.
func newConsole(_ config.Config, index *search.Service, log *slog.Logger) (run.Console, error) {
	return console.New(console.Config{Access: access.Config{}, Index: index, Log: log})
}
