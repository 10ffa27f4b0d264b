package okta

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

const (
	// DefaultLimit is the default limit of a page: with its position a batch of 1,000.
	DefaultLimit = 999

	logsPath     = "/api/v1/logs"
	oktasDefault = 100 // Okta's default, for a link without a limit
)

// Start returns the polling request for everything that the org stored at or after since,
// cut to milliseconds. An empty filter requests every event; limit 0 is DefaultLimit.
func Start(filter string, limit int, since time.Time) pipeline.Link {
	return pipeline.Link(logsPath + "?since=" + instant(since) + asked(filter, limit))
}

// Window returns the bounded request for everything published at or after since and
// before until, both cut to milliseconds, in order of publication. Its last page names no
// next link. It may lack events that the org persisted late, so it is for the past, never
// for the head of the log. Filter and limit are as in Start.
func Window(filter string, limit int, since, until time.Time) pipeline.Link {
	return pipeline.Link(logsPath + "?since=" + instant(since) + "&until=" + instant(until) + asked(filter, limit))
}

func instant(t time.Time) string {
	return url.QueryEscape(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

func asked(filter string, limit int) string {
	s := "&sortOrder=ASCENDING&limit=" + strconv.Itoa(cmp.Or(limit, DefaultLimit))
	if filter != "" {
		s += "&filter=" + url.QueryEscape(filter)
	}
	return s
}

// Query returns a short hash of filter and limit, which links contain.
func Query(filter string, limit int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", cmp.Or(limit, DefaultLimit), filter))
	return hex.EncodeToString(sum[:8])
}

// LimitOf returns how many elements a link requests, always above 0.
func LimitOf(link pipeline.Link) int {
	if n, err := strconv.Atoi(param(string(link), "limit")); err == nil && n > 0 {
		return n
	}
	return oktasDefault
}

// sinceOf returns a link's since; zero: none.
func sinceOf(link pipeline.Link) time.Time {
	text, err := url.QueryUnescape(param(string(link), "since"))
	if err != nil {
		return time.Time{}
	}
	since, _ := time.Parse(time.RFC3339, text)
	return since
}

// param returns the first value of a query parameter, still encoded.
func param(link, name string) string {
	_, query, _ := strings.Cut(link, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return value
		}
	}
	return ""
}

// withLimit sets the limit in a link and leaves every other byte unchanged.
func withLimit(link pipeline.Link, limit int) pipeline.Link {
	path, query, has := strings.Cut(string(link), "?")
	want := "limit=" + strconv.Itoa(limit)
	if !has || query == "" {
		return pipeline.Link(path + "?" + want)
	}
	pairs := strings.Split(query, "&")
	found := false
	for i, pair := range pairs {
		if key, _, _ := strings.Cut(pair, "="); key == "limit" {
			pairs[i], found = want, true
		}
	}
	if !found {
		pairs = append(pairs, want)
	}
	return pipeline.Link(path + "?" + strings.Join(pairs, "&"))
}

// restoreLimit undoes a reduced limit in the next link of a page.
func restoreLimit(next pipeline.Link, squeezed, limit int) pipeline.Link {
	if param(string(next), "limit") != strconv.Itoa(squeezed) {
		return next
	}
	return withLimit(next, limit)
}
