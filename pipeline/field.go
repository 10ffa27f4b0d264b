package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// Field is a field of an integration: a member of its value in INTEGRATIONS.
type Field struct {
	Path    string // settings.fqdn
	Type    string // in a word, as help shows it; object: it has members
	Default any    // as JSON has it; nil: none
	Advice  string // what to write instead of an invalid value

	Settable bool   // by name: in arguments of integrations set and columns of an import
	Flag     string // of integrations add and set; empty: none
	Desc     string // of the flag
	Instead  string // an equivalent field, which is removed when this one is set

	Also []string // where other writers put it: read there, never written there; see Kind.Place
}

// Last returns the last part of the path.
func (f Field) Last() string { return f.Path[strings.LastIndexByte(f.Path, '.')+1:] }

// Plain reports whether the value is a number or a boolean.
func (f Field) Plain() bool { return slices.Contains([]string{"number", "share", "truth"}, f.Type) }

// Help returns the text of the flag's help.
func (f Field) Help() string {
	if f.Default == nil {
		return f.Desc
	}
	return fmt.Sprintf("%s (default %v)", f.Desc, f.Default)
}
