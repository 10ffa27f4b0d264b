package pipeline

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Place moves the members that other writers put elsewhere in a value of INTEGRATIONS
// (Field.Also) to their places, and returns the value and where they stood. A member that is
// in its place wins, and the one elsewhere is dropped. A value with nothing to move, or that
// is no object, is returned unchanged.
func (k *Kind) Place(value []byte) (placed []byte, moved []string) {
	groups := map[string]map[string]json.RawMessage{} // by path; "": the value itself
	var top map[string]json.RawMessage
	if json.Unmarshal(bytes.TrimPrefix(value, []byte("\ufeff")), &top) != nil {
		return value, nil
	}
	groups[""] = top
	group := func(path string) map[string]json.RawMessage {
		name := path[:max(0, strings.LastIndexByte(path, '.'))]
		if groups[name] == nil {
			var members map[string]json.RawMessage
			if raw := top[name]; raw != nil && json.Unmarshal(raw, &members) != nil {
				return nil // it is no object, which the parser complains of
			}
			if members == nil {
				members = map[string]json.RawMessage{}
			}
			groups[name] = members
		}
		return groups[name]
	}
	for _, f := range k.Fields {
		for _, from := range f.Also {
			source, name := group(from), Field{Path: from}.Last()
			place := group(f.Path)
			at, there := source[name]
			if !there || place == nil {
				continue
			}
			delete(source, name)
			if was := string(place[f.Last()]); was == "" || was == "null" || was == `""` {
				place[f.Last()] = at
			}
			moved = append(moved, from)
		}
	}
	if moved == nil {
		return value, nil
	}
	for name, members := range groups {
		if raw, err := encode(members); name != "" && err == nil && (len(members) > 0 || top[name] != nil) {
			top[name] = raw
		}
	}
	placed, err := encode(top)
	if err != nil {
		return value, nil
	}
	return placed, moved
}
