package importcursor

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStates reads what each program keeps, and refuses what says nothing, or too much.
func TestStates(t *testing.T) {
	const host, link = "acme.okta.com", "https://acme.okta.com/api/v1/logs?limit=1000&after=1732270800000_1"
	at := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		program, file, data string
		want                state
		err                 string // part of it; empty: none
	}{
		"registry": {"elastic", "log.json", `{"op":"set","id":1}
{"k":"httpjson::a::https://acme.okta.com/api/v1/logs","v":{"cursor":{"published":"2026-11-28T07:00:00Z"}}}
{"k":"httpjson::b::https://acme.okta.com.evil.com/api/v1/logs","v":{}}
{"k":"httpjson::a::https://acme.okta.com/api/v1/logs","v":{"cursor":{"published":"2026-11-28T08:00:00.000Z"}}}
{"half a li`, state{newest: at}, ""},
		"checkpoint": {"elastic", "7.json", `[{"_key":"cel::x::https://acme.okta.com/api/v1/logs","cursor":{"next":"` + link + `","self":"https://acme.okta.com/api/v1/logs?after=0"}}]`,
			state{link: link}, ""},
		"another org's": {"elastic", "log.json", `{"k":"httpjson::a::https://other.okta.com/api/v1/logs","v":{"cursor":{"published":"2026-11-28T07:00:00Z"}}}`,
			state{}, "no input of https://acme.okta.com"},
		"logstash":       {"logstash", "okta_" + base64.URLEncoding.EncodeToString([]byte(link)), "", state{link: link}, ""},
		"logstash's log": {"logstash", "okta_state", "", state{}, "does not end in a URL"},
		"helr":           {"helr", "next_url", link + "\n", state{link: link}, ""},
		"helr's file":    {"helr", "helr.db", "SQLite format 3\x00…", state{}, "sqlite3 "},
		"watermark":      {"helr", "watermark", "2026-11-28T08:00:00Z\n", state{newest: at}, ""},
		"of another":     {"helr", "next_url", strings.Replace(link, "acme", "evil", 1), state{}, "of other orgs"},
		"two":            {"helr", "next_url", link + "\n" + link + "0", state{}, "has 2 links"},
		"document":       {"conductor", "state.json", `{"integrations":[{"okta":{"nextLink":"` + link + `","last_poll":"2026-11-28T08:00:00Z"}}]}`, state{link: link, newest: at}, ""},
		"nothing":        {"conductor", "state.json", `{"a":[1,null,"b"]}`, state{}, "neither"},
		"prose":          {"helr", "next_url", "none", state{}, "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(file, []byte(c.data), 0o600); err != nil {
				t.Fatal(err)
			}
			p, _ := programOf(c.program)
			got, err := p.read(file, host)
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("the error is %v, want %q", err, c.err)
			}
			if err == nil && (got.link != c.want.link || !got.newest.Equal(c.want.newest)) {
				t.Fatalf("read %+v, want %+v", got, c.want)
			}
		})
	}
}
