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
	"github.com/witfoo/signal-client/source"
)

// Fields are the fields that can be set by name: all except secrets.
var Fields = slices.DeleteFunc(slices.Clone(kinds.Default.Fields), func(f pipeline.Field) bool { return !f.Settable })

// Paths of the credential, of which a value holds one.
const (
	tokenPath     = "credentials.api_token"
	TokenNextPath = "credentials.api_token_next"
	TokenFilePath = "credentials.api_token_file"
	tokenEnvPath  = "credentials.api_token_env"
	keyPath       = "credentials.private_key"
	keyFilePath   = "credentials.private_key_file"
	sealedPath    = "credentials.sealed"
	proxyPath     = "settings.proxy"

	ProxyPasswordPath = "credentials.proxy_password" // beside any of them
)

// FieldOf finds a field by its path, its last part, or its flag.
func FieldOf(name string) (pipeline.Field, bool) {
	folded := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "-", "_")
	for _, f := range Fields {
		if slices.Contains([]string{f.Path, f.Last(), strings.ReplaceAll(f.Flag, "-", "_")}, folded) {
			return f, true
		}
	}
	return pipeline.Field{}, false
}

// FieldNames returns the last parts of the fields' paths.
func FieldNames() []string {
	all := make([]string, len(Fields))
	for i, f := range Fields {
		all[i] = f.Last()
	}
	return all
}

// Value is an integration as stored in INTEGRATIONS, with unknown members of other writers.
type Value map[string]any

// ReadValue parses a value, leaving numbers as written.
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

// NewValue returns the value of an integration of which nothing is known yet.
func NewValue(enabled bool) Value {
	return Value{"enabled": enabled, "integration_type": kinds.Default.Name, "settings": map[string]any{}}
}

// Encode returns the stored form of the value.
func (v Value) Encode() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // filters unescaped
	if err := e.Encode(v); err != nil {
		panic(err) // it was parsed from JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Clone returns a deep copy.
func (v Value) Clone() Value {
	copied, err := ReadValue(v.Encode())
	if err != nil {
		panic(err)
	}
	return copied
}

// Equal reports whether both have the same content.
func (v Value) Equal(other Value) bool { return reflect.DeepEqual(v.Clone(), other.Clone()) }

// Assign sets a field from text and removes the equivalent one; an empty text removes the
// field only. Text that is not a number stays text, and the parser complains about it.
func (v Value) Assign(f pipeline.Field, text string) {
	if text != "" {
		v.Put(f.Instead, nil)
		v.replaceCredential(f)
	}
	v.fill(f, text)
}

// replaceCredential removes the credential of which a field is no part; another field
// removes nothing.
func (v Value) replaceCredential(by pipeline.Field) {
	name, ok := strings.CutPrefix(by.Path, credentials)
	if !ok {
		return
	}
	for _, f := range kinds.Default.Fields {
		other, ok := strings.CutPrefix(f.Path, credentials)
		if ok && !slices.Contains([]string{kindOfCredential(name), ""}, kindOfCredential(other)) {
			v.Put(f.Path, nil)
		}
	}
}

// NamesCredential reports whether the value names a credential, by other fields than those
// that hold one: a file, or a service app.
func (v Value) NamesCredential() bool {
	return slices.ContainsFunc(Fields, func(f pipeline.Field) bool {
		return strings.HasPrefix(f.Path, credentials) && v.At(f.Path) != nil
	})
}

func (v Value) fill(f pipeline.Field, text string) {
	switch {
	case text == "":
		v.Put(f.Path, nil)
	case f.Plain():
		v.Put(f.Path, plainValue(text))
	case f.Type == "hosts":
		var hosts []any
		for host := range strings.SplitSeq(text, ",") {
			hosts = append(hosts, strings.TrimSpace(host))
		}
		v.Put(f.Path, hosts)
	case f.Type == "path":
		// The service's working directory is unknown here.
		if whole, err := filepath.Abs(text); err == nil {
			text = whole
		}
		v.Put(f.Path, text)
	default:
		v.Put(f.Path, text)
	}
}

// SetToken sets a token and removes any other credential, the one to change to included.
func (v Value) SetToken(token pipeline.Secret) {
	v.replaceCredential(pipeline.Field{Path: tokenPath})
	v.Put(tokenPath, token.Reveal())
	v.Put(TokenNextPath, nil)
}

// SetTokenNext sets the token to change to.
func (v Value) SetTokenNext(token pipeline.Secret) { v.Put(TokenNextPath, token.Reveal()) }

// AdoptTokenNext makes the token to change to the token.
func (v Value) AdoptTokenNext() {
	v.Put(tokenPath, v.At(TokenNextPath))
	v.Put(TokenNextPath, nil)
}

// Tidy replaces pasted forms by their parsed values.
func (v Value) Tidy(i pipeline.Integration) {
	if v.At("settings.base_url") != nil { // it wins
		v.Put("settings.base_url", i.Origin)
	} else {
		v.Put("settings.fqdn", strings.TrimPrefix(i.Origin, "https://"))
	}
}

// Put sets the member at a path; nil removes it.
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

// At returns the member at a path; nil: none.
func (v Value) At(path string) any {
	members, name := v, path
	if group, rest, nested := strings.Cut(path, "."); nested {
		members, _ = v[group].(map[string]any)
		name = rest
	}
	return members[name]
}

// WithoutSecrets returns a copy to show: of the credentials it keeps the names of files and
// of a service app, and elsewhere no member whose name suggests a secret.
func (v Value) WithoutSecrets() Value {
	shown := v.Clone()
	dropSecrets(map[string]any(shown))
	for _, f := range Fields {
		if at := v.At(f.Path); at != nil && strings.HasPrefix(f.Path, credentials) {
			shown.Put(f.Path, at)
		}
	}
	for _, path := range []string{"settings.base_url", "settings.fqdn"} {
		if at, ok := shown.At(path).(string); ok {
			shown.Put(path, term.WithoutUser(at))
		}
	}
	if at, ok := shown.At(proxyPath).(string); ok {
		if _, _, err := source.ParseProxy(at); err != nil { // it may hold a password
			shown.Put(proxyPath, term.WithoutUser(at))
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

// secretive are parts of member names under which other writers may store secrets.
var secretive = []string{"token", "secret", "passw", "credential", "apikey", "privatekey", "authorization", "sealed"}

func speaksOfSecret(name string) bool {
	name = strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	return slices.ContainsFunc(secretive, func(part string) bool { return strings.Contains(name, part) })
}

// dropSecrets removes them at any depth.
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

// keepSecrets restores what dropSecrets removed from the former value.
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

// plainValue returns the number or boolean that a text represents, else the text.
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

// Check parses the value as the service does, and returns a problem for each invalid
// field. label turns a field into what the user calls it.
func (v Value) Check(instance string, label func(field string) string) (pipeline.Integration, []error) {
	i, err := v.Read(instance)
	if err == nil {
		return i, nil
	}
	if errs := problem.Complaints(err, label); errs != nil {
		return i, errs
	}
	return i, []error{err}
}

// Labelled returns a field as the flags of add and set name it, with its value.
func (v Value) Labelled(field string) string {
	switch field {
	case "instance":
		return "the name of the integration"
	case tokenPath:
		return "the API token"
	case TokenNextPath:
		return "the API token to change to"
	case keyPath:
		return "the private key"
	case ProxyPasswordPath:
		return "the proxy's password"
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

// Text returns a member of a value as a form shows it; empty: there is none.
func Text(at any) string {
	switch at := at.(type) {
	case nil:
		return ""
	case string:
		return at
	case []any:
		texts := make([]string, len(at))
		for n, part := range at {
			texts[n] = Text(part)
		}
		return strings.Join(texts, ", ")
	}
	return fmt.Sprint(at)
}
