package importcursor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// program is another program that polls Okta's System Log, and how it keeps its state.
type program struct {
	name  string
	keeps string // what it keeps, and where, for the help text
	read  func(file, host string) (state, error)
}

// state is what a program's state says of an org.
type state struct {
	link   string    // next link; empty: none
	newest time.Time // published time of the newest event that it delivered; zero: not known
}

// programs are the programs whose state is known. Sources, read 2026-11-28: elastic/integrations
// packages/okta (httpjson, whose cursor is the last event's published), filebeat's registry;
// logstash-input-okta_system_log (the state is the name of the file); Helr's src/state.rs
// (table helr_state); Vector's okta source and Bindplane's okta receiver (in memory).
var programs = []program{
	{"elastic", "the newest event's time: <data>/registry/filebeat/log.json, the directory, or a checkpoint in it", readElastic},
	{"logstash", "the link, in the name of its state file: <state_file_base>…", readLogstash},
	{"helr", "the link: what sqlite3, psql or redis-cli print of the key next_url of the source", readText},
	{"conductor", "a link or a time, in an exported JSON document", readText},
	{"vector", "nothing that lasts: use --since", nil},
	{"bindplane", "nothing that lasts: use --since", nil},
}

func programOf(name string) (program, bool) {
	n := slices.IndexFunc(programs, func(p program) bool { return strings.EqualFold(p.name, name) })
	if n < 0 {
		return program{}, false
	}
	return programs[n], true
}

func programNames() []string {
	var names []string
	for _, p := range programs {
		names = append(names, p.name)
	}
	return names
}

// mostState bounds the files that are read: a registry of thousands of inputs has a few MB.
const mostState = 64 << 20

func readFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > mostState {
		err = fmt.Errorf("it has %d bytes: this is no state file", info.Size())
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// readElastic reads the registry of Filebeat or an Elastic Agent: a log of operations, each
// an {"op":…} and the {"k":…,"v":…} that it sets, or a checkpoint, a list of values with
// their key in "_key". The key of an input names the URL that it requests. The newest value
// of the org counts.
func readElastic(file, host string) (state, error) {
	for _, inside := range []string{"log.json", filepath.Join("filebeat", "log.json")} {
		if info, err := os.Stat(filepath.Join(file, inside)); err == nil && info.Mode().IsRegular() {
			file = filepath.Join(file, inside)
			break
		}
	}
	data, err := readFile(file)
	if err != nil {
		return state{}, err
	}
	var newest json.RawMessage
	for _, e := range registry(data) {
		if strings.Contains(strings.ToLower(e.key), "://"+host) && len(e.value.Cursor) > 0 {
			newest = e.value.Cursor
		}
	}
	if newest == nil {
		return state{}, fmt.Errorf("no input of https://%s has a cursor in it (look into the checkpoint beside it, <number>.json)", host)
	}
	return ofJSON(newest, host)
}

// entry is a value in a registry.
type entry struct {
	key   string
	value struct {
		Key    string          `json:"_key"` // in a checkpoint
		Cursor json.RawMessage `json:"cursor"`
	}
}

// registry returns the values of a registry, in the order in which they were written.
func registry(data []byte) (entries []entry) {
	var checkpoint []json.RawMessage
	if json.Unmarshal(data, &checkpoint) == nil {
		for _, value := range checkpoint {
			var e entry
			if json.Unmarshal(value, &e.value) == nil {
				e.key = e.value.Key
				entries = append(entries, e)
			}
		}
		return entries
	}
	for line := range bytes.Lines(data) {
		var set struct {
			Key   string          `json:"k"`
			Value json.RawMessage `json:"v"`
		}
		e := entry{}
		if json.Unmarshal(line, &set) == nil && json.Unmarshal(set.Value, &e.value) == nil {
			e.key = set.Key
			entries = append(entries, e)
		}
	}
	return entries
}

// readLogstash reads the name of the file, which ends in the URL, in Base64.
func readLogstash(file, host string) (state, error) {
	if _, err := os.Stat(file); err != nil {
		return state{}, err
	}
	name := filepath.Base(file)
	for at := range name {
		raw, err := base64.URLEncoding.DecodeString(name[at:])
		if err == nil && strings.HasPrefix(string(raw), "https://") {
			return ofText(string(raw), host)
		}
	}
	return state{}, errors.New("its name does not end in a URL in Base64, as the plugin names it")
}

// readText reads a file of any form that has a link or a time in it.
func readText(file, host string) (state, error) {
	data, err := readFile(file)
	if err != nil {
		return state{}, err
	}
	if bytes.HasPrefix(data, []byte("SQLite format 3\x00")) {
		return state{}, errors.New("it is an SQLite database: give what this prints instead: sqlite3 " + file +
			` "SELECT value FROM helr_state WHERE source_id = '<source>' AND key = 'next_url'"`)
	}
	if json.Valid(data) {
		return ofJSON(data, host)
	}
	return ofText(string(data), host)
}

// links finds URLs with a query in a text.
var links = regexp.MustCompile(`https?://[^\s"'<>|?]+\?[^\s"'<>|]+`)

// ofText returns the one link, or the one time, of a text.
func ofText(text, host string) (state, error) {
	if found := links.FindAllString(text, -1); len(found) > 0 {
		link, err := only(found, host)
		return state{link: link}, err
	}
	at, err := pipeline.ParseTime(text)
	if err != nil {
		return state{}, errNothing
	}
	return state{newest: at}, nil
}

// errNothing is the error of a state that says nothing of where its program stopped.
var errNothing = errors.New("it has neither a next link nor a time")

// ofJSON returns the one link, and the newest time, in a JSON document, however deep. Where
// some members have next in their names, other links don't count.
func ofJSON(data []byte, host string) (state, error) {
	var root any
	if err := json.Unmarshal(data, &root); err != nil {
		return state{}, err
	}
	var s state
	var next, others []string
	walk(root, "", func(name, text string) {
		switch found := links.FindString(text); {
		case found == "":
			if at, err := time.Parse(time.RFC3339, text); err == nil {
				s.newest = pipeline.Later(s.newest, at)
			}
		case strings.Contains(strings.ToLower(name), "next"):
			next = append(next, found)
		default:
			others = append(others, found)
		}
	})
	if len(next) == 0 {
		next = others
	}
	var err error
	switch {
	case len(next) > 0:
		s.link, err = only(next, host)
	case s.newest.IsZero():
		err = errNothing
	}
	return s, err
}

// walk calls f for each text in a JSON value, with the name of the member that holds it.
func walk(at any, name string, f func(name, text string)) {
	switch at := at.(type) {
	case map[string]any:
		for name, inner := range at {
			walk(inner, name, f)
		}
	case []any:
		for _, inner := range at {
			walk(inner, name, f)
		}
	case string:
		f(name, at)
	}
}

// only returns the one link of the org.
func only(found []string, host string) (string, error) {
	own := slices.DeleteFunc(slices.Sorted(slices.Values(found)), func(link string) bool {
		u, err := url.Parse(link)
		return err != nil || !strings.EqualFold(u.Host, host)
	})
	own = slices.Compact(own)
	switch len(own) {
	case 0:
		return "", fmt.Errorf("its links are of other orgs than %s", host)
	case 1:
		return own[0], nil
	}
	return "", fmt.Errorf("it has %d links of %s: give the newest one by --link", len(own), host)
}
