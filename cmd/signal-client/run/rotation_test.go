package run

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// withCredentials is an entry whose credentials are given.
func withCredentials(credentials string) string {
	return strings.Replace(entry, `{"api_token":"right-token"}`, credentials, 1)
}

// A next token that is refused disturbs nothing and is reported. When it works it becomes the
// token, once, though two processes run, and the former one is not needed any more.
func TestNextToken(t *testing.T) {
	inOutage(t, jetstest.Config{Open: true}, func(o *outages) {
		o.start("b", config.Okta{})
		o.polling()
		o.fires(3 * time.Minute)
		o.put("acme", withCredentials(`{"api_token":"right-token","api_token_next":"next-token"}`))
		o.fires(time.Minute)
		s := o.status("acme")
		if s.Next == nil || s.Next.From != orgs.TokenNextPath || !strings.Contains(s.Next.Error, "Okta refuses the API token") || s.Next.NextTry.IsZero() {
			t.Errorf("the next token is refused, and STATUS says %+v", s.Next)
		}
		if s.State != pipeline.StatePolling || s.LastError != "" || s.Breaker != "closed" {
			t.Errorf("the next token is refused, and the state is %s %q, breaker %s", s.State, s.LastError, s.Breaker)
		}
		time.Sleep(20 * time.Minute) // without the monitor, which takes long
		if n := o.org.Stats().Refused; n < 2 || n > 15 {
			t.Errorf("the next token was tried %d times in 21 minutes", n)
		}
		if v := o.stored("acme"); v.At("credentials.api_token") != "right-token" || v.At(orgs.TokenNextPath) != "next-token" {
			t.Errorf("the next token is refused, and INTEGRATIONS has %v", v)
		}
		refused := o.org.Stats().Refused

		o.org.Restore("next-token")
		time.Sleep(16 * time.Minute)
		if v := o.stored("acme"); v.At("credentials.api_token") != "next-token" || v.At(orgs.TokenNextPath) != nil {
			t.Errorf("the next token works, and INTEGRATIONS has %v", v)
		}
		if s := o.status("acme"); s.State != pipeline.StatePolling || s.Next != nil {
			t.Errorf("after the change: %s, next %+v", s.State, s.Next)
		}
		o.org.Revoke("right-token")
		o.fires(3 * time.Minute)
		if n := o.org.Stats().Refused; n > refused+1 {
			t.Errorf("%d requests were refused since the next token works", n-refused)
		}
		o.complete()
	})
}

// When the org refuses the token, the next one is tried at once, however long its pause is.
func TestNextTokenAtOnce(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		o.polling()
		o.put("acme", withCredentials(`{"api_token":"right-token","api_token_next":"next-token"}`))
		for pause := time.Duration(0); pause < 3*time.Minute; { // until the next try is far away
			time.Sleep(30 * time.Second)
			if s := o.status("acme"); s.Next != nil {
				pause = time.Until(s.Next.NextTry)
			}
		}
		o.org.Restore("next-token")
		o.org.Revoke("right-token")
		time.Sleep(65 * time.Second) // the next poll is refused by then
		if s := o.status("acme"); s.State != pipeline.StatePolling || s.Breaker != "closed" {
			t.Errorf("after a minute: %s %q, next %+v", s.State, s.LastError, s.Next)
		}
		o.complete()
	})
}

// A file that holds a wrong token now does not disturb the poll, and a right one is used.
func TestNextTokenOfAFile(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		file := filepath.Join(t.TempDir(), "token")
		replace := func(token string) {
			if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		replace("right-token")
		o.start("a", config.Okta{})
		o.pass(time.Minute)
		value, _ := json.Marshal(map[string]string{"api_token_file": file})
		o.put("acme", withCredentials(string(value)))
		o.fires(3 * time.Minute)
		replace("wrong-token")
		o.fires(time.Minute)
		time.Sleep(10 * time.Minute)
		s := o.status("acme")
		if s.State != pipeline.StatePolling || s.LastError != "" || s.Next == nil || s.Next.From != file {
			t.Errorf("the file has a wrong token: %s %q, next %+v", s.State, s.LastError, s.Next)
		}
		replace("right-token")
		o.pass(time.Minute)
		if s := o.status("acme"); s.Next != nil {
			t.Errorf("the file has the former token again: next %+v", s.Next)
		}
		o.org.Restore("new-token")
		replace("new-token")
		o.fires(time.Minute)
		o.org.Revoke("right-token")
		o.fires(2 * time.Minute)
		if s := o.status("acme"); s.State != pipeline.StatePolling || s.Next != nil {
			t.Errorf("the file has another token: %s %q, next %+v", s.State, s.LastError, s.Next)
		}
		o.complete()
	})
}

// A token that was changed by somebody else meanwhile stays.
func TestNextTokenIsAdoptedByRevision(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		o.polling()
		both := withCredentials(`{"api_token":"right-token","api_token_next":"next-token"}`)
		i, err := kinds.Default.Read("acme", []byte(both))
		if err != nil {
			t.Fatal(err)
		}
		o.on(func(store *jets.Store) {
			if err := adopt(o.Context(), &buckets.Integrations{Store: store}, "a", i); !errors.Is(err, pipeline.ErrChanged) {
				t.Errorf("a token that INTEGRATIONS does not have is adopted: %v", err)
			}
		})
		if v := o.stored("acme"); v.At("credentials.api_token") != "right-token" {
			t.Errorf("INTEGRATIONS has %v", v)
		}
	})
}

// on calls f with a store of its own.
func (o *outages) on(f func(*jets.Store)) {
	o.Helper()
	conn, err := jets.Connect(o.Context(), "", o.natsd.Option())
	if err != nil {
		o.Fatal(err)
	}
	defer conn.Close()
	f(jets.Attach(conn, kinds.Default))
}

// stored is the value of an instance in INTEGRATIONS.
func (o *outages) stored(instance string) (v orgs.Value) {
	o.Helper()
	o.on(func(store *jets.Store) {
		w, err := (&buckets.Integrations{Store: store}).Get(o.Context(), instance)
		if err == nil {
			v, err = orgs.ReadValue(w.Value)
		}
		if err != nil {
			o.Fatal(err)
		}
	})
	return v
}

// complete fails unless each event of the org is stored once.
func (o *outages) complete() {
	o.Helper()
	o.still()
	time.Sleep(3 * time.Minute)
	if stored, is := o.ofOrg("https://acme.okta.com"), o.org.Len(); stored != is {
		o.Errorf("%d events are stored, the org has %d", stored, is)
	}
}

// The token of a disabled org that Okta will soon delete is told, also by a process that never
// polled it; another token is not, nor is one in use.
func TestIdleToken(t *testing.T) {
	inOutage(t, jetstest.Config{}, func(o *outages) {
		p := o.polling()
		o.pass(2 * time.Minute)
		if s := o.status("acme"); time.Since(s.TokenUsedAt) > 2*time.Minute {
			t.Errorf("the token in use was last used at %s", s.TokenUsedAt)
		}
		disabled := strings.Replace(entry, `"enabled":true`, `"enabled":false`, 1)
		o.put("acme", disabled)
		o.pass(time.Minute)
		s := o.status("acme")
		if s.State != pipeline.StateDisabled || s.TokenUsedAt.IsZero() || s.TokenIdle(time.Now()) != 0 {
			t.Errorf("after a minute: %s, token used at %s", s.State, s.TokenUsedAt)
		}
		p.stop()
		p.gone = true
		s.TokenUsedAt = time.Now().Add(-26 * 24 * time.Hour).UTC()
		o.on(func(store *jets.Store) {
			if _, err := store.Conn.JS.Publish(o.Context(), store.Conn.PutSubject(jets.BucketStatus, "okta.acme"), jets.Encode(s)); err != nil {
				t.Fatal(err)
			}
		})
		o.start("b", config.Okta{})
		o.pass(time.Minute)
		if got := o.status("acme"); !got.TokenUsedAt.Equal(s.TokenUsedAt) || !strings.Contains(orgs.CredentialNotice(got), "26 days ago") {
			t.Errorf("after 26 days: token used at %s, %q", got.TokenUsedAt, orgs.CredentialNotice(got))
		}
		if n := len(o.ask(`signal_client_token_last_used_timestamp_seconds{integration="acme"}`)); n != 1 {
			t.Errorf("%d series", n)
		}
		o.put("acme", strings.Replace(disabled, "right-token", "other-token", 1))
		o.pass(time.Minute)
		if got := o.status("acme"); time.Since(got.TokenUsedAt) > time.Minute || orgs.CredentialNotice(got) != "" {
			t.Errorf("another token: used at %s, %q", got.TokenUsedAt, orgs.CredentialNotice(got))
		}
	})
}
