package buckets

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
)

// Sealing is how the credentials of a value in INTEGRATIONS are stored.
type Sealing string

const (
	SealNone  Sealing = ""       // they hold no secret: a file is named, or nothing
	SealPlain Sealing = "plain"  // who may read the bucket can read a secret
	SealFirst Sealing = "sealed" // with the process's first key
	SealOther Sealing = "former" // with another key of the process
	SealShut  Sealing = "shut"   // and not opened: see Written.Shut
)

// Sealed reports whether there is no plain secret, but a sealed one.
func (s Sealing) Sealed() bool { return s == SealFirst || s == SealOther || s == SealShut }

// sealedName is the member of credentials that holds the others, sealed. originName and
// proxyName are members within, which name the only origin that they are for, and the only
// proxy that its password is for. Who can write the bucket could else have them sent
// anywhere, by a copy of what he can't open.
const (
	sealedName = "sealed"
	originName = "origin"
	proxyName  = "proxy"
)

// opened is a value whose credentials were opened, if that was possible.
type opened struct {
	Value   []byte
	Sealing Sealing
	Shut    string   // why not; empty: they were, or are not sealed
	Moved   []string // members that stood elsewhere: see pipeline.Kind.Place
	dir     string   // see pipeline.Secrets
}

// read parses the value of a key's slug.
func (o opened) read(kind *pipeline.Kind, slug string) (pipeline.Integration, error) {
	i, err := kind.Read(slug, o.Value)
	if i.Sealed != "" && o.Shut != "" {
		i.Sealed = o.Shut
	}
	i.FilesDir = o.dir
	return i, err
}

// openValue opens the credentials of a stored value. What another writer has put beside
// sealed ones is newer than they are.
func openValue(secrets pipeline.Secrets, kind *pipeline.Kind, slug string, value []byte) opened {
	value, moved := kind.Place(value)
	o := opened{Value: value, Sealing: sealingOf(kind, value), Moved: moved, dir: secrets.Dir}
	top, held := credentialsOf(value)
	sealed := sealedIn(held)
	if sealed == "" {
		return o
	}
	inner, first, err := open(secrets.Keys, kind, slug, value, sealed)
	if err != nil {
		o.Shut = err.Error()
		return o
	}
	delete(held, sealedName)
	maps.Copy(inner, held)
	top["credentials"] = encode(inner)
	o.Value = encode(top)
	switch {
	case o.Sealing == SealPlain: // beside the sealed ones
	case first:
		o.Sealing = SealFirst
	default:
		o.Sealing = SealOther
	}
	return o
}

// open returns the members that are sealed in a value, if they are for its origin.
func open(keys pipeline.Keys, kind *pipeline.Kind, slug string, value []byte, sealed string) (inner map[string]json.RawMessage, first bool, err error) {
	if keys == nil {
		return nil, false, fmt.Errorf("this process has no key that opens it (SIGNAL_CLIENT_SECRET_KEY_FILE)")
	}
	data, first, err := keys.Open(sealed)
	if err != nil {
		return nil, false, fmt.Errorf("%w (SIGNAL_CLIENT_SECRET_KEY_FILE)", err)
	}
	if json.Unmarshal(data, &inner) != nil || inner == nil {
		return nil, false, fmt.Errorf("it is not a sealed JSON object (set the credential again)")
	}
	var origin string
	if bound := inner[originName]; bound != nil {
		_ = json.Unmarshal(bound, &origin)
		i, err := kind.Read(slug, value)
		if err != nil { // it is not polled; once it is corrected, its origin is known
			return nil, false, fmt.Errorf("the value is invalid")
		}
		if origin != i.Origin {
			return nil, false, fmt.Errorf("it was sealed for %.200s, and is not sent to %s (set the credential again)", origin, i.Origin)
		}
		if proxy := text(inner[proxyName]); proxy != "" && proxy != i.Proxy {
			return nil, false, fmt.Errorf("the proxy's password was sealed for %.200s, and is not sent to %s (set the credential again)", proxy, cmp.Or(i.Proxy, "another one"))
		}
	}
	delete(inner, originName)
	delete(inner, proxyName)
	return inner, first, nil
}

// sealValue returns a value with its credentials sealed, if there is a secret among them.
// An invalid value stays as it is: the origin that they are for is unknown. So do
// credentials beside others that can't be opened.
func sealValue(keys pipeline.Keys, kind *pipeline.Kind, slug string, value []byte) ([]byte, error) {
	value, _ = kind.Place(value)
	top, held := credentialsOf(value)
	if sealedIn(held) != "" || sealingOf(kind, value) != SealPlain {
		return value, nil
	}
	i, err := kind.Read(slug, value)
	if err != nil {
		return value, nil
	}
	held[originName] = encode(i.Origin)
	if held["proxy_password"] != nil {
		held[proxyName] = encode(i.Proxy)
	}
	sealed, err := keys.Seal(encode(held))
	if err != nil {
		return nil, err
	}
	top["credentials"] = encode(map[string]string{sealedName: sealed})
	return encode(top), nil
}

// encode encodes what was parsed, with filters unescaped, for people.
func encode(parsed any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(parsed); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// sealingOf returns SealPlain if a stored value holds a secret in plain, SealShut if it
// holds sealed ones only, else SealNone.
func sealingOf(kind *pipeline.Kind, value []byte) Sealing {
	value, _ = kind.Place(value)
	_, held := credentialsOf(value)
	for _, f := range kind.Fields {
		name, ok := strings.CutPrefix(f.Path, "credentials.")
		if ok && name != sealedName && f.Type == "secret" && text(held[name]) != "" {
			return SealPlain
		}
	}
	if sealedIn(held) != "" {
		return SealShut
	}
	return SealNone
}

// credentialsOf returns the members of a value and those of its credentials; nil: there
// are none.
func credentialsOf(value []byte) (top, held map[string]json.RawMessage) {
	if json.Unmarshal(bytes.TrimPrefix(value, []byte("\ufeff")), &top) != nil || top == nil {
		return nil, nil
	}
	_ = json.Unmarshal(top["credentials"], &held)
	return top, held
}

func sealedIn(held map[string]json.RawMessage) string { return text(held[sealedName]) }

// text returns a JSON string's text; empty: it is none.
func text(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s)
	return s
}
