package config

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

// unused is a setting without effect, with the reason and what to do.
type unused struct{ Setting, Why, Try string }

// UnusedSettings finds settings without effect: unknown variables, those of an org without
// an org, and those of an unused embedded server. A nil cmd has no flags.
func (c *Config) UnusedSettings(cmd *cobra.Command) []unused {
	var found []unused
	note := func(s section, why, try string, but ...string) {
		for v := range Variables(s) {
			if name := v.given(cmd); name != "" && !slices.Contains(but, v.Name) {
				found = append(found, unused{name, why, try})
			}
		}
	}
	if c.Okta.IsZero() {
		note(&c.Okta, "it is of an org that the environment configures, and there is none", "OKTA_FQDN=<the org's host name>, or remove it")
	}
	if !c.NATS.Embedded() {
		// Images and units always set the directory.
		note(&c.Server, "it is for the embedded server, but NATS_URL or NATS_CONTEXT names another one", "remove it; NATS_USER and NATS_PASSWORD are for another server", "SIGNAL_CLIENT_DATA_DIR")
	}
	if !c.ServesConsole() {
		// The image switches it off, and the command search asks a console elsewhere.
		note(&c.Console, "this process serves no console", "SIGNAL_CLIENT_CONSOLE=on, or remove it", "SIGNAL_CLIENT_CONSOLE", "SIGNAL_CLIENT_CONSOLE_URL", "SIGNAL_CLIENT_CONSOLE_TOKEN_FILE")
	}
	found = append(found, c.NATS.unusedUser()...)
	return append(found, unknownVariables(os.Environ())...)
}

// given returns the name under which the variable was set, its own or a flag's; empty: none.
func (v variable) given(cmd *cobra.Command) string {
	if cmd != nil {
		if flag := cmd.Flags().Lookup(v.Flag()); flag != nil && flag.Changed {
			return "--" + flag.Name
		}
	}
	if os.Getenv(v.Name) != "" {
		return v.Name
	}
	return ""
}

// unusedUser finds credentials that others override, see as.
func (c NATS) unusedUser() []unused {
	var found []unused
	first := ""
	for _, by := range []struct {
		variable string
		set      bool
	}{{"NATS_USER and NATS_PASSWORD", !c.Password.IsZero()}, {"NATS_CREDS", c.Creds != ""}, {"NATS_NKEY", c.NKey != ""}} {
		switch {
		case by.set && first != "":
			found = append(found, unused{by.variable, first + " has precedence as a credential", "unset one of them"})
		case by.set:
			first = by.variable
		}
	}
	return found
}

// ofKubernetes matches what Kubernetes sets for a service named signal-client.
var ofKubernetes = regexp.MustCompile(`^SIGNAL_CLIENT(_[A-Z0-9_]+)?(_SERVICE_HOST=|_SERVICE_PORT(_[A-Z0-9_]+)?=|_PORT=\w+://|_PORT_\d+_(TCP|UDP|SCTP)(_ADDR|_PORT|_PROTO)?=)`)

// longer returns the first of the known names that contains all words of a name, such as
// OKTA_API_TOKEN for OKTA_TOKEN; empty: none.
func longer(name string, known []string) string {
	for _, one := range known {
		words := strings.Split(one, "_")
		if !slices.ContainsFunc(strings.Split(name, "_"), func(word string) bool { return !slices.Contains(words, word) }) {
			return one
		}
	}
	return ""
}

// unknownVariables finds variables with this program's prefixes that it does not know.
func unknownVariables(environ []string) []unused {
	var known []string
	for _, s := range new(Config).Sections() {
		for v := range Variables(s) {
			known = append(known, v.Name)
		}
	}
	var found []unused
	for _, one := range environ {
		name, value, _ := strings.Cut(one, "=")
		ours := strings.HasPrefix(name, "SIGNAL_CLIENT_") || strings.HasPrefix(name, "OKTA_")
		if !ours || value == "" || slices.Contains(known, name) || ofKubernetes.MatchString(name+"="+value) {
			continue
		}
		u := unused{name, "signal-client has no such variable", "remove it; for a list: signal-client run --help"}
		if near := cmp.Or(problem.Nearest(name, known), longer(name, known)); near != "" {
			u.Try = fmt.Sprintf("%s, if that was intended", near)
		}
		found = append(found, u)
	}
	slices.SortFunc(found, func(a, b unused) int { return strings.Compare(a.Setting, b.Setting) })
	return found
}
