package replay

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// again returns the command that continues after this run, and what to add to it. Ages have
// become times. A --nats-url with user, password or token is left out.
func (r *replayRun) again() (command, besides string) {
	words := []string{r.cmd.CommandPath()}
	add := func(name, value string) { words = append(words, "--"+name, shellWord(value)) }
	r.cmd.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "from-seq", "to-seq", "limit", "id":
		case "since":
			add("since", r.filter.from.Format(time.RFC3339))
		case "until":
			add("until", r.filter.before.Format(time.RFC3339))
		case "nats-url":
			if url := f.Value.String(); strings.Contains(url, "@") {
				besides = ", with the same --nats-url as before"
			} else {
				add("nats-url", url)
			}
		default:
			if list, ok := f.Value.(pflag.SliceValue); ok {
				add(f.Name, strings.Join(list.GetSlice(), ","))
			} else if f.Value.Type() == "bool" {
				if f.Value.String() == "true" {
					words = append(words, "--"+f.Name)
				}
			} else {
				add(f.Name, f.Value.String())
			}
		}
	})
	if r.to != "" {
		add("id", r.id)
	}
	if r.limit > r.counts.total.Events {
		add("limit", fmt.Sprint(r.limit-r.counts.total.Events))
	}
	add("from-seq", fmt.Sprint(r.next))
	add("to-seq", fmt.Sprint(r.through))
	return strings.Join(words, " "), besides
}

// shellWord quotes a word for a shell.
func shellWord(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(c rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/@+=", c)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
