package orgs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

// Field is a field of an integration as the command line knows it.
type Field struct {
	path string // in the value: settings.fqdn
	Flag string // of add and set; a column of a CSV file may be called so too
	What string // it takes
	Desc string
	not  string // a field that means the same, and goes when this one is set
}

// Fields are all fields that are no secret.
var Fields = []Field{
	{"settings.fqdn", "fqdn", "host", "the org's host name, such as acme.okta.com", "settings.base_url"},
	{"settings.base_url", "base-url", "url", "scheme, host and port instead of --fqdn; plain http for loopback hosts only", "settings.fqdn"},
	{"name", "name", "text", "a name for people", ""},
	{"poll_interval", "poll-interval", "duration", "time between two looks at the head of the log; at least 1s (default 5m)", "poll_interval_minutes"},
	{"poll_interval_minutes", "", "number", "", "poll_interval"},
	{"settings.since", "since", "since", "where the first poll begins: an age such as 24h or 7d, or an RFC 3339 time (default 24h)", ""},
	{"settings.filter", "filter", "expression", "filter expression of the System Log API; empty: everything", ""},
	{"settings.limit", "limit", "number", "events a page, 1 to 999 (default 999)", ""},
	{"settings.rate_share", "rate-share", "share", "part of the org's rate limit that may be used, above 0, at most 1 (default 0.5)", ""},
	{"settings.link_hosts", "link-host", "hosts", "further host names that a next link may name, comma separated", ""},
	{TokenFilePath, "token-file", "path", "file that holds the API token, read by the service on the machine where it runs", tokenPath},
	{"enabled", "", "truth", "", ""},
}

const (
	tokenPath     = "credentials.api_token"
	TokenFilePath = "credentials.api_token_file"
)

// FieldOf finds a field by its path, by the last part of it, or by its flag.
func FieldOf(name string) (Field, bool) {
	folded := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "-", "_")
	for _, f := range Fields {
		last := f.path[strings.LastIndexByte(f.path, '.')+1:]
		if slices.Contains([]string{f.path, last, strings.ReplaceAll(f.Flag, "-", "_")}, folded) {
			return f, true
		}
	}
	return Field{}, false
}

func FieldNames() []string {
	all := make([]string, len(Fields))
	for i, f := range Fields {
		all[i] = f.path[strings.LastIndexByte(f.path, '.')+1:]
	}
	return all
}

// Value is an integration as INTEGRATIONS holds it: with whatever members others
// have put there.
type Value map[string]any

// ReadValue reads a value, and keeps numbers as they are written.
func ReadValue(data []byte) (Value, error) {
	var v Value
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if v == nil {
		return nil, errors.New("it is null")
	}
	return v, nil
}

func NewValue(enabled bool) Value {
	return Value{"enabled": enabled, "integration_type": "okta", "settings": map[string]any{}}
}

// Encode is the value as it is stored.
func (v Value) Encode() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // filters as they are
	if err := e.Encode(v); err != nil {
		panic(err) // it came out of JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Clone is a copy that shares nothing.
func (v Value) Clone() Value {
	copied, err := ReadValue(v.Encode())
	if err != nil {
		panic(err)
	}
	return copied
}

// Equal reports whether both hold the same.
func (v Value) Equal(other Value) bool { return reflect.DeepEqual(v.Clone(), other.Clone()) }

// Assign sets a field to what the text says, in the place of one that means the
// same; an empty text takes it out, and nothing else. What is no number stays a text,
// for the reader to complain of.
func (v Value) Assign(f Field, text string) {
	if text != "" {
		v.Put(f.not, nil)
	}
	v.fill(f, text)
}

func (v Value) fill(f Field, text string) {
	switch {
	case text == "":
		v.Put(f.path, nil)
	case f.What == "number", f.What == "share", f.What == "truth":
		v.Put(f.path, plainValue(text))
	case f.What == "hosts":
		var hosts []any
		for host := range strings.SplitSeq(text, ",") {
			hosts = append(hosts, strings.TrimSpace(host))
		}
		v.Put(f.path, hosts)
	case f.What == "path":
		// Where the service runs nobody knows what it would be relative to.
		if whole, err := filepath.Abs(text); err == nil {
			text = whole
		}
		v.Put(f.path, text)
	default:
		v.Put(f.path, text)
	}
}

// SetToken puts a token in, and a file's name out.
func (v Value) SetToken(token pipeline.Secret) {
	v.Put(TokenFilePath, nil)
	v.Put(tokenPath, token.Reveal())
}

// Tidy writes what was pasted as what it was understood as.
func (v Value) Tidy(i pipeline.Integration) {
	if v.At("settings.base_url") != nil { // it wins
		v.Put("settings.base_url", i.Origin)
	} else {
		v.Put("settings.fqdn", strings.TrimPrefix(i.Origin, "https://"))
	}
}

// Put sets the member at a path; nil takes it out.
func (v Value) Put(path string, to any) {
	members, name := v, path
	if group, rest, nested := strings.Cut(path, "."); nested {
		inner, ok := v[group].(map[string]any)
		if !ok && to == nil {
			return
		}
		if !ok {
			inner = map[string]any{}
			v[group] = inner
		}
		members, name = inner, rest
	}
	if to == nil {
		delete(members, name)
		return
	}
	members[name] = to
}

// At is the member at a path; nil: none.
func (v Value) At(path string) any {
	members, name := v, path
	if group, rest, nested := strings.Cut(path, "."); nested {
		members, _ = v[group].(map[string]any)
		name = rest
	}
	return members[name]
}

// WithoutSecrets is a copy that can be shown: under credentials it keeps nothing
// but the name of a file, and elsewhere no member whose name speaks of a secret.
func (v Value) WithoutSecrets() Value {
	shown := v.Clone()
	file := shown.At(TokenFilePath)
	dropSecrets(map[string]any(shown))
	if file != nil {
		shown.Put(TokenFilePath, file)
	}
	for _, path := range []string{"settings.base_url", "settings.fqdn"} {
		if at, ok := shown.At(path).(string); ok {
			shown.Put(path, term.WithoutUser(at))
		}
	}
	hosts, _ := shown.At("settings.link_hosts").([]any)
	for n, at := range hosts {
		if at, ok := at.(string); ok {
			hosts[n] = term.WithoutUser(at)
		}
	}
	return shown
}

// secretive are parts of the names of members that other writers may keep secrets in.
var secretive = []string{"token", "secret", "passw", "credential", "apikey", "privatekey", "authorization"}

func speaksOfSecret(name string) bool {
	name = strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	return slices.ContainsFunc(secretive, func(part string) bool { return strings.Contains(name, part) })
}

// dropSecrets takes out members at any depth.
func dropSecrets(at any) {
	switch at := at.(type) {
	case map[string]any:
		maps.DeleteFunc(at, func(name string, inner any) bool {
			dropSecrets(inner)
			return speaksOfSecret(name)
		})
	case []any:
		for _, inner := range at {
			dropSecrets(inner)
		}
	}
}

// keepSecrets puts back what dropSecrets took out of what stood before.
func keepSecrets(at, before any) {
	switch before := before.(type) {
	case map[string]any:
		at, ok := at.(map[string]any)
		for name, was := range before {
			is, stands := at[name]
			switch {
			case ok && !stands && speaksOfSecret(name):
				at[name] = was
			case stands:
				keepSecrets(is, was)
			}
		}
	case []any:
		if at, ok := at.([]any); ok && len(at) == len(before) {
			for n := range at {
				keepSecrets(at[n], before[n])
			}
		}
	}
}

// plainValue is a number or a truth value if the text is one, else the text.
func plainValue(text string) any {
	d := json.NewDecoder(strings.NewReader(strings.ToLower(strings.TrimSpace(text))))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return text
	}
	switch v.(type) {
	case json.Number, bool:
		return v
	}
	return text
}

// Check reads the value as the service will, and makes a problem of each field
// that it would complain of. label says how the user knows a field.
func (v Value) Check(instance string, label func(field string) string) (pipeline.Integration, []error) {
	i, err := kinds.Default.Read(instance, v.Encode())
	if err == nil {
		return i, nil
	}
	if errs := problem.Complaints(err, label); errs != nil {
		return i, errs
	}
	return i, []error{err}
}

// Labelled is how the flags of add and set call a field, with what stands there.
func (v Value) Labelled(field string) string {
	switch field {
	case "instance":
		return "the name of the integration"
	case tokenPath:
		return "the API token"
	}
	name := field
	if f, ok := FieldOf(strings.TrimSuffix(field, "[0]")); ok && f.Flag != "" {
		name = "--" + f.Flag
	}
	at := v.WithoutSecrets().At(field)
	if at == nil || field == "credentials" {
		return name
	}
	return fmt.Sprintf("%s %v", name, at)
}
