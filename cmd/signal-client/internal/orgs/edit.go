package orgs

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
)

// readOnly are members that an answer of the console adds to a value.
var readOnly = []string{"instance", "revision", "origin", "written_at", "static", "error", "sealed"}

// withoutAnswer returns an edited value as it is to be stored, without what only answers have.
func (v Value) withoutAnswer() Value {
	kept := v.Clone()
	for _, name := range readOnly {
		delete(kept, name)
	}
	return kept
}

// Merged returns the stored value after an edit. A secret that the edit leaves out, or has
// empty or as {"set": true}, stays, unless the edit has a credential of another kind. With
// whole, all other known members are the edit's, except the credential if it has none;
// without it they stay, and null removes one.
func (v Value) Merged(edit Value, whole bool) Value {
	edit = edit.withoutAnswer()
	for _, path := range secretPaths() {
		if at := edit.At(path); at == "" || isMask(at) {
			edit.Put(path, nil)
		}
	}
	merged := v.Clone()
	if edit.At(tokenPath) != nil { // it replaces the one to change to as well
		merged.Put(TokenNextPath, nil)
	}
	given := givenCredential(edit)
	for _, f := range kinds.Default.Fields {
		if whole && f.Path != "" && f.Type != "object" && f.Type != "secret" && (given != "" || !strings.HasPrefix(f.Path, credentials)) {
			merged.Put(f.Path, nil)
		}
	}
	merge(map[string]any(merged), map[string]any(edit))
	for _, f := range kinds.Default.Fields {
		if f.Instead != "" && edit.At(f.Path) != nil && edit.At(f.Instead) == nil {
			merged.Put(f.Instead, nil)
		}
	}
	for _, f := range kinds.Default.Fields {
		if name, ok := strings.CutPrefix(f.Path, credentials); ok && given != "" && !slices.Contains([]string{given, ""}, kindOfCredential(name)) && edit.At(f.Path) == nil {
			merged.Put(f.Path, nil)
		}
	}
	return merged
}

// credentials begins the paths of the fields of a credential.
const credentials = "credentials."

// kindOfCredential returns which of the alternatives a member of credentials belongs to;
// empty: it is the proxy's, beside any of them.
func kindOfCredential(name string) string {
	switch name {
	case "proxy_password":
		return ""
	case "api_token", "api_token_next":
		return "token"
	case "client_id", "key_id", "private_key", "private_key_file":
		return "oauth"
	}
	return name
}

// givenCredential returns which alternative an edit sets; empty: none.
func givenCredential(edit Value) string {
	group, _ := edit["credentials"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(group)) {
		if at := group[name]; at != nil && at != "" && kindOfCredential(name) != "" {
			return kindOfCredential(name)
		}
	}
	return ""
}

// merge is a JSON merge patch (RFC 7396).
func merge(at, edit map[string]any) {
	for name, to := range edit {
		group, ok := to.(map[string]any)
		if !ok {
			if at[name] = to; to == nil {
				delete(at, name)
			}
			continue
		}
		inner, ok := at[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
		}
		merge(inner, group)
		at[name] = inner
	}
}

// secretPaths are the fields that hold a secret.
func secretPaths() []string {
	var paths []string
	for _, f := range kinds.Default.Fields {
		if f.Type == "secret" {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

func isMask(at any) bool {
	mask, ok := at.(map[string]any)
	_, set := mask["set"]
	return ok && set
}

// Masked returns a copy to show, with {"set": true} in the place of each secret, and the
// fields that are left out at their defaults.
func (v Value) Masked() Value {
	shown := v.WithoutSecrets()
	for _, f := range kinds.Default.Fields {
		at := v.At(f.Path)
		switch {
		case f.Path == "" || f.Type == "object":
		case at != nil && at != "" && f.Type == "secret":
			shown.Put(f.Path, map[string]any{"set": true})
		case at != nil && strings.HasPrefix(f.Path, credentials):
			shown.Put(f.Path, at)
		case at == nil && f.Default != nil && f.Type != "secret" && (f.Instead == "" || v.At(f.Instead) == nil):
			shown.Put(f.Path, f.Default)
		}
	}
	return shown
}

// KeptSecrets are the paths of secrets, and of names of files and variables that hold one,
// that the value has from the one before and not from the edit.
func (v Value) KeptSecrets(before, edit Value) []string {
	var kept []string
	for _, f := range kinds.Default.Fields {
		if !strings.HasPrefix(f.Path, credentials) || f.Type == "object" {
			continue
		}
		at, given := v.At(f.Path), edit.At(f.Path)
		if at != nil && at != "" && reflect.DeepEqual(at, before.At(f.Path)) && (given == nil || given == "" || isMask(given)) {
			kept = append(kept, f.Path)
		}
	}
	return kept
}

// Clean replaces what was pasted as the host name, such as
// https://acme-admin.okta.com/admin/dashboard, by the host name in it. An address of this
// machine with a port becomes base_url. What can't be read stays, so that Check complains.
func (v Value) Clean() {
	pasted, ok := v.At("settings.fqdn").(string)
	if !ok || strings.TrimSpace(pasted) == "" {
		return
	}
	origin, err := kinds.Default.Clean(pasted)
	if err != nil {
		return
	}
	host, secure := strings.CutPrefix(origin, "https://")
	if secure && !strings.Contains(host, ":") {
		v.Put("settings.fqdn", host)
		return
	}
	v.Put("settings.fqdn", nil)
	v.Put("settings.base_url", origin)
}

var unfitForSlug = regexp.MustCompile(`[^a-z0-9]+`)

// Slug returns a free name for an integration: the first part of its host name, with a
// number if it is taken. It is empty if the value has no valid host.
func (v Value) Slug(taken func(instance string) bool) string {
	origin, err := kinds.Default.Clean(cmpText(v.At("settings.base_url"), v.At("settings.fqdn")))
	if err != nil {
		return ""
	}
	_, host, _ := strings.Cut(origin, "://")
	label, _, dotted := strings.Cut(host, ".")
	if dotted && strings.Trim(label, "0123456789") == "" || !dotted { // an address
		label = host
	}
	label = strings.Trim(unfitForSlug.ReplaceAllString(label, "-"), "-")
	label = strings.TrimRight(label[:min(len(label), 55)], "-")
	slug := label
	for n := 2; taken(slug); n++ {
		slug = fmt.Sprintf("%s-%d", label, n)
	}
	return slug
}

func cmpText(texts ...any) string {
	for _, at := range texts {
		if text := Text(at); text != "" {
			return text
		}
	}
	return ""
}

// Read parses a value that is to be stored, as the service will.
func (v Value) Read(instance string) (pipeline.Integration, error) {
	return v.kind().Read(instance, v.Encode())
}

// Origin returns where requests of the value go, though something else in it may be wrong;
// empty: it does not say.
func (v Value) Origin(instance string) string {
	if i, err := v.Read(instance); err == nil {
		return i.Origin
	}
	origin, _ := kinds.Default.Clean(cmpText(v.At("settings.base_url"), v.At("settings.fqdn"))) // empty if it fails
	return origin
}

// kind returns the kind that the value says it is of; else the default one.
func (v Value) kind() *pipeline.Kind {
	for _, kind := range kinds.All {
		if v["integration_type"] == kind.Name {
			return kind.Kind
		}
	}
	return kinds.Default
}

// NewInstance returns the value of a new integration with an edit's members.
func NewInstance(edit Value) Value {
	v := NewValue(true)
	return v.Merged(edit, false)
}

// members returns the leaves of a value by path.
func members(v Value) map[string]any {
	all := map[string]any{}
	var walk func(at map[string]any, prefix string)
	walk = func(at map[string]any, prefix string) {
		for name, inner := range at {
			if group, ok := inner.(map[string]any); ok {
				walk(group, prefix+name+".")
				continue
			}
			all[prefix+name] = inner
		}
	}
	walk(map[string]any(v), "")
	return all
}

// paths returns the paths that either has, sorted.
func paths(a, b map[string]any) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}
