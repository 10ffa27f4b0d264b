package problem

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
)

func TestInWords(t *testing.T) {
	unauthorized := okta.Source.Mark(&okta.Error{Status: 401, Code: "E0000011", Summary: "Invalid token provided", Kind: pipeline.ErrCredential})
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{fmt.Errorf("ask https://a: %w", unauthorized), "Okta refuses the API token: make a new one under Security > API > Tokens (status 401 E0000011: Invalid token provided)"},
		{&pipeline.NotBefore{At: time.Now(), Err: fmt.Errorf("breaker is open: %w", unauthorized)}, "Okta refuses the API token: make a new one"},
		{&okta.Error{Status: 403, Code: "E0000006", Kind: pipeline.ErrCredential}, "the token's owner may not read the System Log"},
		{&okta.Error{Status: 403, Summary: "Access Denied", Kind: pipeline.ErrCredential}, "something on the way to Okta forbids the request"},
		{&okta.Error{Status: 401, Summary: "Sign in", Kind: pipeline.ErrCredential}, "something on the way to Okta forbids the request"},
		{&okta.Error{Status: 429, Kind: pipeline.ErrThrottled}, "Okta's rate limit is used up"},
		{&okta.Error{Status: 404, Kind: pipeline.ErrConfig}, "there is no System Log at this address"},
		{&okta.Error{Status: 400, Summary: "Invalid filter", Kind: pipeline.ErrConfig}, "Okta refuses the request as it is configured: correct what it names, such as settings.filter; to start a new query: signal-client cursor reopen (status 400: Invalid filter"},
		{&okta.Error{Status: 400, Summary: "The request was not valid", Kind: pipeline.ErrLink}, "Okta refuses a link that it made itself: if it still does in a minute, a new query starts early enough to miss nothing; to start it at once: signal-client cursor reopen (status 400"},
		{fmt.Errorf("ask https://a: %w", &okta.Error{Status: 500, Code: "E0000009", Summary: "Your last request took too long"}), "the page takes too long: smaller ones are requested automatically; a lower settings.limit makes"},
		{&okta.Error{Status: 504}, "the page takes too long"},
		{&okta.Error{Status: 503}, "Okta has a failure; the request is repeated (status 503"},
		{errors.New("body: \x1b[31mcut short\n"), `body: \x1b[31mcut short\n`},
	} {
		if got := Explain(okta.Source.Mark(c.err)); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v:\ngot  %s\nwant %s…", c.err, got, c.want)
		}
	}
	_, err := kinds.Default.Credential(t.Context(), pipeline.Integration{Kind: kinds.Default, TokenFile: "/nowhere/token"})
	if got := Explain(err); !strings.Contains(got, "a file of the integration can't be read") || !strings.Contains(got, "/nowhere/token") {
		t.Errorf("missing token file: %s", got)
	}
}
