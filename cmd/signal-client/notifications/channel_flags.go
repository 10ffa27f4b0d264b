package notifications

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// two requires two arguments: a type and a name.
func two(cmd *cobra.Command, args []string) error {
	if len(args) != 2 {
		return problem.Usage(cmd.CommandPath(), "it takes a type and a name", cmd.CommandPath()+" slack on-call")
	}
	return nil
}

// channelFlags are the fields of a channel.
type channelFlags struct {
	urlFrom string
	one     buckets.Channel
	to      cli.NameList
}

func (f *channelFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.urlFrom, "url-from", "", "store the URL from this `file`, or from standard input (-)")
	flags.StringVar(&f.one.URLFile, "url-file", "", "webhook, slack: a `file` with the URL, which each process that polls reads")
	flags.StringVar(&f.one.AuthorizationFile, "authorization-file", "", "webhook: a `file` with the value of the header Authorization")
	flags.StringVar(&f.one.SMTP, "smtp", "", "email: the mail server, as `host:port`")
	flags.StringVar(&f.one.TLS, "tls", "", "email: the `encryption` starttls (the default), tls or none")
	flags.StringVar(&f.one.From, "from", "", "email: the sender's `address`")
	flags.Var(&f.to, "to", "email: the recipients' `addresses`")
	flags.StringVar(&f.one.User, "user", "", "email: the `name` to log in with")
	flags.StringVar(&f.one.PasswordFile, "password-file", "", "email: a `file` with the password")
	for _, file := range []string{"url-from", "url-file", "authorization-file", "password-file"} {
		_ = cmd.MarkFlagFilename(file)
	}
	_ = cmd.RegisterFlagCompletionFunc("tls", cobra.FixedCompletions([]cobra.Completion{"starttls", "tls", "none"}, cobra.ShellCompDirectiveNoFileComp))
}

// apply sets the fields that flags were given for.
func (f *channelFlags) apply(cmd *cobra.Command, to *buckets.Channel) {
	for flag, field := range map[string]struct{ from, to *string }{
		"url-file": {&f.one.URLFile, &to.URLFile}, "authorization-file": {&f.one.AuthorizationFile, &to.AuthorizationFile},
		"smtp": {&f.one.SMTP, &to.SMTP}, "tls": {&f.one.TLS, &to.TLS}, "from": {&f.one.From, &to.From},
		"user": {&f.one.User, &to.User}, "password-file": {&f.one.PasswordFile, &to.PasswordFile},
	} {
		if cmd.Flags().Changed(flag) {
			*field.to = *field.from
		}
	}
	if to.URLFile != "" && cmd.Flags().Changed("url-file") {
		to.URL = pipeline.Secret{}
	}
	if cmd.Flags().Changed("to") {
		to.To = listed(f.to)
	}
}

// listed returns a list's names; that of an empty text has none.
func listed(l cli.NameList) []string {
	return slices.DeleteFunc(slices.Clone(l), func(name string) bool { return name == "" })
}

// mostURL is larger than any URL.
const mostURL = 16 << 10

// readURL reads a channel's URL from a file, from standard input ("-"), or from a prompt.
func (c *command) readURL(ctx context.Context, from string) (string, error) {
	switch {
	case from != "" && from != "-":
		f, err := os.Open(from)
		if err != nil {
			return "", noURL(from, err)
		}
		defer f.Close()
		return urlIn(f, from)
	case term.IsTerminal(c.in):
		typed, err := term.AskHidden(ctx, c.in, c.Err(), "URL of the channel (input is hidden): ")
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err != nil:
			return "", noURL("the terminal", err)
		}
		return urlIn(bytes.NewReader(typed), "the terminal")
	case from == "-":
		return urlIn(c.in, "standard input")
	}
	return "", problem.Usage("--url-from", "it is missing, and there is no terminal to ask on", "--url-from <file>, or - for standard input; or --url-file <path> for a file that the service reads")
}

func urlIn(from io.Reader, where string) (string, error) {
	data, err := io.ReadAll(io.LimitReader(from, mostURL))
	text := strings.TrimSpace(string(data))
	if err == nil && text == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", noURL(where, err)
	}
	return text, nil
}

func noURL(where string, err error) error {
	return &problem.Error{Op: "read the channel's URL from " + where, Err: err, Hint: "--url-from <file>, or - for standard input", Code: problem.BadUsage}
}
