// Package topics holds the texts that "signal-client help <topic>" prints without a
// network. It contains no help of single commands, which is beside each command.
//
// The embedded files are complete: nats-server runs with nats.conf unchanged, and alerts
// link to troubleshooting.md.
package topics

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/witfoo/signal-client/pipeline"
)

// Permissions is a nats.conf with the users of signal-client and their permissions.
//
//go:embed nats.conf
var Permissions string

// Troubleshooting is the topic of that name, in Markdown.
//
//go:embed troubleshooting.md
var Troubleshooting string

// Accounts is the topic of that name, in Markdown.
//
//go:embed accounts.md
var Accounts string

// Variable is a setting: its environment variable and, unless it is a secret, its flag.
type Variable struct {
	Name, Flag, Desc, Default string
}

const configuration = `Settings come from the environment. A flag overrides its variable.
Secrets have no flags, because other users of the machine can see them in the list of
processes.

SIGHUP (systemctl reload) makes the service read the files of tokens and of NATS
credentials again; it logs what has changed. A changed variable or flag needs a restart.

HTTPS_PROXY and NO_PROXY apply to requests to Okta; an org's settings.proxy wins over
both. The NATS_ variables mean the same as for the nats command. A password may hold any
character here; in a URL, percent-encode the characters , / ? # % @

`

// Configuration is the topic of that name.
func Configuration(variables []Variable) string {
	var b strings.Builder
	b.WriteString(configuration)
	for _, v := range variables {
		term := v.Name
		if v.Flag != "" {
			term += ", --" + v.Flag
		}
		if v.Default != "" {
			term += " (default " + v.Default + ")"
		}
		define(&b, term, v.Desc)
	}
	return b.String()
}

// ExitCode is a code that the program exits with.
type ExitCode struct {
	Code    int
	Meaning string
}

const exitCodes = `Scripts may rely on these codes. An error has up to three lines on standard error: what
failed, the cause, and what to try.

`

// ExitCodes is the topic of that name.
func ExitCodes(codes []ExitCode) string {
	var b strings.Builder
	b.WriteString(exitCodes)
	for _, c := range codes {
		fmt.Fprintf(&b, "%3d  %s\n", c.Code, c.Meaning)
	}
	return b.String()
}

// states lists what each state means and what to do.
var states = []struct {
	state pipeline.State
	text  string
}{
	{pipeline.StateNew, "The org has not been polled yet. Wait a few seconds."},
	{pipeline.StatePolling, "The poller is at the head of the org's log. Nothing is to be done."},
	{pipeline.StateCatchingUp, "More events are waiting. Nothing is to be done; the org's rate limit sets the pace."},
	{pipeline.StateThrottled, "The org's rate limit is used up. Polling continues when Okta renews the limit. If it happens often, see: signal-client help troubleshooting"},
	{pipeline.StateRetrying, "A request to Okta or NATS failed and is repeated. If the state stays, read \"last error\". If pages take too long, lower settings.limit; if Okta refuses a link, use: signal-client cursor reopen"},
	{pipeline.StateRefused, "Okta answers 401 or 403. See: signal-client help troubleshooting"},
	{pipeline.StateConfig, "The org can't be polled as it is configured. Correct the field that \"last error\" names."},
	{pipeline.StateUnowned, "No running process polls the org. Start one: signal-client run"},
	{pipeline.StateDisabled, "The field \"enabled\" is false. To poll it again: signal-client integrations enable <name>"},
}

// States is the topic of that name.
func States() string {
	var b strings.Builder
	b.WriteString("The states of an org, as \"signal-client status\" shows them:\n\n")
	for _, s := range states {
		define(&b, string(s.state), s.text)
	}
	return b.String()
}

// define writes a term and, indented below it, its meaning.
func define(b *strings.Builder, term, meaning string) {
	fmt.Fprintln(b, term)
	for line := range strings.SplitSeq(text.WrapSoft(meaning, 84), "\n") {
		fmt.Fprintf(b, "    %s\n", strings.TrimRight(line, " "))
	}
}
