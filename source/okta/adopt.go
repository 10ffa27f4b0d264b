package okta

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Adopt returns the link with which an integration continues where another program stopped.
// kept is the next link that the program was given, a URL or a path. since is the link's
// own; zero: it has none.
//
// Every byte stays but the limit, which becomes the integration's: Okta's after names a
// place in the log, whatever the size of the pages. A link of another host, of another
// query than the integration's, or of a bounded one, whose end would be taken for the
// head of the log, is refused.
func Adopt(i pipeline.Integration, kept string) (link pipeline.Link, since time.Time, err error) {
	link, err = (&Client{Origin: i.Origin, LinkHosts: i.LinkHosts}).keep(strings.TrimSpace(kept))
	if err != nil {
		return "", time.Time{}, err
	}
	value := func(name string) string {
		text, e := url.QueryUnescape(param(string(link), name))
		if e != nil {
			err = cmp.Or(err, fmt.Errorf("has a malformed %s", name))
		}
		return text
	}
	filter, order := value("filter"), value("sortOrder")
	switch {
	case err != nil:
		return "", time.Time{}, err
	case param(string(link), "until") != "":
		return "", time.Time{}, errors.New("has an until: it ends there, and is no polling request")
	case param(string(link), "q") != "":
		return "", time.Time{}, errors.New("has a q, a search by keyword, which no integration has")
	case order != "" && !strings.EqualFold(order, "ASCENDING"):
		return "", time.Time{}, fmt.Errorf("has the sortOrder %.20s: it leads into the past", order)
	case filter != i.Filter:
		return "", time.Time{}, fmt.Errorf("has the filter %.200q, and the integration %.200q: set the integration's to the link's first", filter, i.Filter)
	}
	return withLimit(link, cmp.Or(i.Limit, DefaultLimit)), sinceOf(link), nil
}
