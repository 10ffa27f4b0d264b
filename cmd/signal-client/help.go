package main

import (
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/topics"
)

func newTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "configuration", Short: "Every variable and flag, with its default", Long: topics.Configuration(settings())},
		{Use: "states", Short: "What the state of an org means, and what to do", Long: topics.States()},
		{Use: "exit-codes", Short: "What the exit codes mean", Long: topics.ExitCodes(problem.ExitCodes)},
		{Use: "permissions", Short: "A nats.conf with the permissions of the service and its consumers", Long: topics.Permissions},
		{Use: "accounts", Short: "NATS accounts with limits: managed ones, a leaf node, an administrator", Long: topics.Accounts},
		{Use: "troubleshooting", Short: "What to look at when something does not work", Long: topics.Troubleshooting},
	}
}

func settings() []topics.Variable {
	var all []topics.Variable
	for _, s := range new(config.Config).Sections() {
		for v := range config.Variables(s) {
			all = append(all, topics.Variable{Name: v.Name, Flag: v.Flag(), Desc: v.Desc, Default: v.Default})
		}
	}
	return all
}
