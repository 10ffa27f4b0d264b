package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/buckets"
)

// channelMembers and ruleMembers are what an edit may have. The last of a channel is what
// became of its notifications: it is ignored, so that a document can be sent back.
var (
	channelMembers = []string{"version", "name", "type", "disabled", "url", "url_file", "authorization_file", "smtp", "tls", "from", "to", "user", "password_file", "last"}
	ruleMembers    = []string{"version", "name", "disabled", "kinds", "instances", "severity", "channels", "cooldown"}
)

// Channel reads a channel that replaces the stored one of that name, if there is one. A URL
// that is left out, empty or {"set": true} stays; null removes it, and so does url_file.
// Its errors are a *pipeline.ConfigError.
func Channel(all buckets.Rules, name string, edit []byte) (buckets.Channel, error) {
	members, err := membersOf(edit, channelMembers)
	if err != nil {
		return buckets.Channel{}, err
	}
	url, written := members["url"]
	delete(members, "url")
	delete(members, "last")
	var c buckets.Channel
	if err := decode(members, name, &c); err != nil {
		return c, err
	}
	c.Name = name
	kept := !written || string(url) == `""` || strings.HasPrefix(string(url), "{")
	before, _ := all.Channel(name)
	switch {
	case !kept:
		if json.Unmarshal(url, &c.URL) != nil {
			return c, wrong("url", "is no text (write the URL, or leave it out to keep the stored one)")
		}
	case c.URLFile == "" && c.Type != buckets.ChannelEmail:
		c.URL = before.URL
	}
	return c, c.Check()
}

// Rule reads a rule that replaces the stored one of that name, if there is one. Its errors
// are a *pipeline.ConfigError.
func Rule(all buckets.Rules, name string, edit []byte) (buckets.Rule, error) {
	members, err := membersOf(edit, ruleMembers)
	if err != nil {
		return buckets.Rule{}, err
	}
	var r buckets.Rule
	if err := decode(members, name, &r); err != nil {
		return r, err
	}
	r.Name = name
	return r, CheckRule(all, r)
}

// CheckRule returns what is wrong with a rule, as a *pipeline.ConfigError: Check's errors,
// and channels that do not exist.
func CheckRule(all buckets.Rules, r buckets.Rule) error {
	err := r.Check()
	wrongs, _ := errors.AsType[*pipeline.ConfigError](err)
	if wrongs == nil {
		wrongs = &pipeline.ConfigError{}
	}
	for i, name := range r.Channels {
		if _, known := all.Channel(name); !known {
			wrongs.Complaints = append(wrongs.Complaints, schemas.Complaint{Field: fmt.Sprintf("channels[%d]", i), Problem: fmt.Sprintf("is no channel: %q (add the channel first)", name)})
		}
	}
	if len(wrongs.Complaints) == 0 {
		return nil
	}
	return wrongs
}

// membersOf returns the members of an object, which must be among those known.
func membersOf(edit []byte, known []string) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(edit, &members); err != nil || members == nil {
		return nil, wrong("", "is not a JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, name) {
			return nil, wrong(name, "is not known (known are "+strings.Join(known, ", ")+")")
		}
	}
	return members, nil
}

// decode reads members into a channel or rule.
func decode(members map[string]json.RawMessage, name string, to any) error {
	var named string
	if raw, ok := members["name"]; ok && (json.Unmarshal(raw, &named) != nil || named != "" && named != name) {
		return wrong("name", "can't be changed (delete this one, and add another)")
	}
	data, err := json.Marshal(members)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if at, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return wrong(at.Field, "is a JSON "+at.Value+", not a "+strings.NewReplacer("[]string", "list of texts", "string", "text", "bool", "boolean", "int", "number").Replace(at.Type.String()))
	}
	return err
}

func wrong(field, what string) error {
	return &pipeline.ConfigError{Complaints: []schemas.Complaint{{Field: field, Problem: what}}}
}
