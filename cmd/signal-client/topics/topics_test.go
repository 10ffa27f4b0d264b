package topics

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/schemas"
)

// Each state that STATUS may hold is documented.
func TestStates(t *testing.T) {
	data, err := schemas.Files.ReadFile("status.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct{ State struct{ Enum []string } }
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, s := range states {
		explained = append(explained, string(s.state))
	}
	if !slices.Equal(explained, schema.Properties.State.Enum) {
		t.Errorf("explained: %q, in STATUS: %q", explained, schema.Properties.State.Enum)
	}
}

// The topics fit a terminal: at most 100 columns, no tab, and no space at the end of a
// line.
func TestTopicsFitATerminal(t *testing.T) {
	for name, text := range map[string]string{
		"permissions": Permissions, "troubleshooting": Troubleshooting, "accounts": Accounts, "states": States(),
		"configuration": Configuration([]Variable{{"SOME", "some", strings.Repeat("word ", 50), "1"}}),
		"exit-codes":    ExitCodes([]ExitCode{{130, "interrupted"}}),
	} {
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if len([]rune(line)) > 100 || strings.Contains(line, "\t") || strings.HasSuffix(line, " ") {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
}
