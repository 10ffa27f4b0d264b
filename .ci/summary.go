// Command summary condenses the output of go test -json: a line for each package, all
// that failed, and last which tests were skipped and why, which go test does not say.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func main() {
	said := map[string][]string{} // by tests that still run
	var skipped []string
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e struct{ Action, Package, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text())
			continue
		}
		test := e.Package + " " + e.Test
		switch {
		case strings.HasSuffix(e.Action, "output") && e.Test == "":
			if e.Output != "PASS\n" {
				fmt.Print(e.Output)
			}
		case e.Action == "output":
			said[test] = append(said[test], e.Output)
		case e.Action == "fail":
			fmt.Print(strings.Join(said[test], ""))
			delete(said, test)
		case e.Action == "skip" && e.Test != "":
			skipped = append(skipped, "  "+test+reason(said[test]))
			delete(said, test)
		case e.Action == "pass":
			delete(said, test)
		}
	}
	if len(skipped) > 0 {
		fmt.Printf("Skipped here:\n%s\n", strings.Join(skipped, "\n"))
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "read what go test says:", err)
		os.Exit(1)
	}
}

// reason is what a test said before it was skipped.
func reason(said []string) string {
	var text strings.Builder
	for _, line := range said {
		if !strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") && !strings.HasPrefix(line, "===") {
			text.WriteString("\n    " + strings.TrimSpace(line))
		}
	}
	return text.String()
}
