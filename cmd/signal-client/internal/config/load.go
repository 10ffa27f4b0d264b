package config

import (
	"encoding"
	"errors"
	"fmt"
	"iter"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/kelseyhightower/envconfig"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
)

// section is a part of the configuration: a pointer to a struct with the tags of Config.
type section interface {
	// faults returns a problem for each invalid value.
	faults() []error
}

type variable struct {
	Name    string // of the environment variable
	Default string
	Desc    string
	field   reflect.Value
}

// Variables returns a section's variables, in order.
func Variables(s section) iter.Seq[variable] {
	return func(yield func(variable) bool) {
		fields := reflect.ValueOf(s).Elem()
		for sf, field := range fields.Fields() {
			v := variable{sf.Tag.Get("envconfig"), sf.Tag.Get("default"), sf.Tag.Get("desc"), field}
			if !yield(v) {
				return
			}
		}
	}
}

// Flag returns the flag that overrides the variable; empty for a secret, which would be
// visible in the list of processes.
func (v variable) Flag() string {
	if v.field.Type() == reflect.TypeFor[pipeline.Secret]() {
		return ""
	}
	name := strings.TrimPrefix(v.Name, "SIGNAL_CLIENT_")
	return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}

func (v variable) set(text string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.field.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch target := v.field.Addr().Interface().(type) {
	case *string:
		*target = text
		return nil
	case *int:
		n, err := strconv.Atoi(text)
		*target = n
		return err
	}
	return fmt.Errorf("no flag takes a %s", v.field.Type())
}

// flagValue is a flag's text until load reads it.
type flagValue struct {
	text string
	kind string // its type, in a word
}

// NewFlagValue returns the value of a flag of a type.
func NewFlagValue(kind string) pflag.Value { return &flagValue{kind: kind} }

// Set stores the text.
func (f *flagValue) Set(text string) error {
	f.text = text
	return nil
}

// String returns the text.
func (f *flagValue) String() string { return f.text }

// Type returns the type shown in help.
func (f *flagValue) Type() string { return f.kind }

// AddFlags adds a flag for each variable of the sections.
func AddFlags(cmd *cobra.Command, sections ...section) {
	for _, s := range sections {
		for v := range Variables(s) {
			if name := v.Flag(); name != "" {
				cmd.Flags().Var(&flagValue{v.Default, kind(v.field.Interface())}, name, fmt.Sprintf("%s [%s]", v.Desc, v.Name))
			}
		}
	}
	cmd.Flags().SortFlags = false
}

// Load fills the sections from the environment and the command's flags, and checks them.
// It reports all problems at once.
func Load(cmd *cobra.Command, sections ...section) error {
	var errs []error
	for _, s := range sections {
		found := append(fromEnvironment(s), changedFlags(cmd, s)...)
		if len(found) == 0 {
			found = s.faults()
		}
		errs = append(errs, found...)
	}
	return errors.Join(errs...)
}

// LoadConfig is load for a command that needs the whole configuration.
func LoadConfig(cmd *cobra.Command) (Config, error) {
	var c Config
	if err := Load(cmd, c.Sections()...); err != nil {
		return c, err
	}
	return c, errors.Join(c.faultsTogether()...)
}

// fromEnvironment reads variables and defaults. An empty variable counts as unset,
// because compose and unit files leave such behind. envconfig stops at the first invalid
// value; that one is removed, and the rest read.
func fromEnvironment(s section) []error {
	var errs []error
	for v := range Variables(s) {
		if value, set := os.LookupEnv(v.Name); set && value == "" {
			os.Unsetenv(v.Name)
		}
	}
	for {
		err := envconfig.Process("", s)
		if err == nil {
			return errs
		}
		parse, ok := errors.AsType[*envconfig.ParseError](err)
		if !ok {
			return append(errs, err)
		}
		errs = append(errs, faultOf(s, parse))
		os.Unsetenv(parse.KeyName)
	}
}

// faultOf returns the problem of a variable that envconfig could not parse.
func faultOf(s section, parse *envconfig.ParseError) error {
	for v := range Variables(s) {
		if v.Name == parse.KeyName {
			return v.fault(v.Name, parse.Value, parse.Err)
		}
	}
	return parse
}

func changedFlags(cmd *cobra.Command, s section) []error {
	var errs []error
	for v := range Variables(s) {
		flag := cmd.Flags().Lookup(v.Flag())
		if flag == nil || !flag.Changed {
			continue
		}
		if err := v.set(flag.Value.String()); err != nil {
			errs = append(errs, v.fault("--"+flag.Name, flag.Value.String(), err))
		}
	}
	return errs
}

// fault returns the problem of a value that can't be parsed.
func (v variable) fault(name, value string, err error) error {
	if _, speaks := reflect.TypeAssert[encoding.TextUnmarshaler](v.field.Addr()); !speaks {
		err = errors.New("it must be a whole number")
	}
	return &problem.Error{
		Op:   fmt.Sprintf("%s=%s can't be read", name, value),
		Err:  err,
		Hint: v.suggestion(name),
		Code: problem.BadUsage,
	}
}

func (v variable) suggestion(name string) string {
	if v.Default == "" {
		return "unset " + name
	}
	return fmt.Sprintf("%s=%s, the default, or leave it out", name, v.Default)
}
