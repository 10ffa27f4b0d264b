package search

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeField completes a field's name, with those that the index holds.
func (s *searchCommand) completeField(cmd *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	before, name := word, ""
	if i := strings.LastIndexAny(word, " (!"); i >= 0 {
		before, name = word[:i+1], word[i+1:]
	} else {
		before, name = "", word
	}
	if strings.ContainsAny(name, ":\"'") || s.target.load(cmd) != nil {
		return nil, directive
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
	defer cancel()
	var found []cobra.Completion
	for _, field := range s.fieldNames(ctx) {
		if strings.HasPrefix(field, name) {
			found = append(found, before+field+":")
		}
	}
	return found, directive
}

// fieldNames returns the names of the fields of the last day; none if the index can't be
// asked.
func (s *searchCommand) fieldNames(ctx context.Context) (names []string) {
	answer, err := s.index.Get(ctx, "/select/logsql/field_names", url.Values{"query": {"_time:1d"}})
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	var list struct{ Values []struct{ Value string } }
	if json.NewDecoder(answer.Body).Decode(&list) != nil {
		return nil
	}
	for _, v := range list.Values {
		names = append(names, v.Value)
	}
	return names
}
