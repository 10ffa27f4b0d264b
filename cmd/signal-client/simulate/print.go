package simulate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/simulated"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
)

// interval is the poll interval that is suggested: what happens is to be seen soon.
const interval = "2s"

// introduce says what there is and how to poll it.
func (s *simulate) introduce(orgs []*simulated.Org) error {
	first, last := orgs[0], orgs[len(orgs)-1]
	which, each := fmt.Sprintf("Simulated Okta org %s at %s", first.Name, first.URL), ""
	if len(orgs) > 1 {
		which, each = fmt.Sprintf("%d simulated Okta orgs, from %s at %s to %s at %s", len(orgs), first.Name, first.URL, last.Name, last.URL), " each"
	}
	s.p.Say("%s: %s of the last %s%s, then %v a second in all; %s%s. Seed %d. Ctrl-C ends it.", which,
		term.Count(s.history, "event"), term.ExactSpan(time.Duration(s.over)), each, s.rate, s.allowed(), each, s.seed)
	if at, err := netip.ParseAddrPort(strings.TrimPrefix(first.URL, "http://")); err == nil && !at.Addr().IsLoopback() {
		s.p.Say("signal-client polls over plain http on loopback only: use --listen 0.0.0.0:%d and reach it as 127.0.0.1.", at.Port())
	}
	token := quoted(s.tokens[0])
	env, before, after := "OKTA_API_TOKEN="+token, "echo "+token+" | ", "--token-from -"
	if s.app != nil {
		file := quoted(s.appKey)
		env = fmt.Sprintf("OKTA_CLIENT_ID=%s OKTA_KEY_ID=%s OKTA_PRIVATE_KEY_FILE=%s", s.app.ClientID, s.app.KeyID, file)
		before, after = "", fmt.Sprintf("--client-id %s --key-id %s --private-key-file %s", s.app.ClientID, s.app.KeyID, file)
	}
	_, err := fmt.Fprintf(s.p.Err(), `
Poll %[1]s with a service of its own:
    OKTA_BASE_URL=%[2]s OKTA_INSTANCE=%[1]s OKTA_POLL_INTERVAL=%[3]s OKTA_SINCE=%[4]s %[5]s signal-client run
or add it to a running one:
    %[6]ssignal-client integrations add okta %[1]s --base-url %[2]s --poll-interval %[3]s --since %[4]s %[7]s

`, first.Name, first.URL, interval, s.since(), env, before, after)
	return errors.Join(err, s.table(orgs))
}

// table prints the orgs as integrations import reads them.
func (s *simulate) table(orgs []*simulated.Org) error {
	w := csv.NewWriter(s.p.Out())
	columns, credential := []string{"api_token"}, []string{s.tokens[0]}
	if s.app != nil {
		columns, credential = []string{"client_id", "key_id", "private_key_file"}, []string{s.app.ClientID, s.app.KeyID, s.appKey}
	}
	rows := [][]string{append([]string{"instance", "name", "base_url", "poll_interval", "since"}, columns...)}
	for _, org := range orgs {
		rows = append(rows, append([]string{org.Name, org.Title, org.URL, interval, s.since()}, credential...))
	}
	return w.WriteAll(rows)
}

// since returns where a first poll begins: before the history.
func (s *simulate) since() string {
	return fmt.Sprintf("%dh", min(90*24, int(math.Ceil(time.Duration(s.over).Hours()))+1))
}

func (s *simulate) allowed() string {
	if s.limit == 0 {
		return "any number of requests a minute"
	}
	return fmt.Sprintf("%d requests a minute", s.limit)
}

// served says what the orgs have served.
func served(orgs []*simulated.Org) string {
	var requests, events, throttled, refused int
	for _, org := range orgs {
		stats := org.Stats()
		requests, events = requests+stats.Requests, events+stats.Events
		throttled, refused = throttled+stats.Violations+stats.Concurrency, refused+stats.Refused
	}
	return fmt.Sprintf("%s events served in %s requests, %d throttled, %d refused", term.Number(uint64(events)), term.Number(uint64(requests)), throttled, refused)
}

// quoted returns a word of a shell command.
func quoted(word string) string {
	if !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("-_./:@%+=,", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
