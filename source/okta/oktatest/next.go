package oktatest

import (
	"net/http"
	"strings"
)

// link sets the Link headers.
func (o *Org) link(h http.Header, r *http.Request, req Request, q query, p page, fault Fault) {
	o.mu.Lock()
	links := o.links
	o.mu.Unlock()
	links = links.drawn(chance(o.config.Seed, chanceLinks, uint64(req.N)), q.raw["limit"] != "")
	origin := o.origin(r)
	if links.Relative {
		origin = ""
	}
	self := origin + r.URL.RequestURI()
	cursor := p.next
	if len(p.elements) == 0 && q.polling() && !p.held {
		switch links.Empty {
		case EmptyAdvanced:
			cursor = p.newer
		case EmptyNone:
			cursor = ""
		}
	}
	next := ""
	if cursor != "" {
		next = origin + LogsPath + "?" + links.nextQuery(q, cursor)
		if cursor == q.after {
			next = self // the same cursor gives exactly the same link
		}
	}
	links.write(h, self, fault.Next.bend(next, self, r))
}

// bend replaces the target of a next link.
func (n Next) bend(next, self string, r *http.Request) string {
	query := next[strings.IndexByte(next, '?')+1:]
	switch n {
	case NextAbsent:
		return ""
	case NextSelf:
		return self
	case NextOtherHost:
		return "https://" + NextHost + LogsPath + "?" + query
	case NextUserInfo:
		return "https://okta:okta@" + r.Host + LogsPath + "?" + query
	case NextOtherPath:
		return scheme(r) + "://" + r.Host + "/api/v1/users?" + query
	}
	return next
}

// origin returns the origin of links.
func (o *Org) origin(r *http.Request) string {
	if o.config.Origin != "" {
		return o.config.Origin
	}
	return scheme(r) + "://" + r.Host
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
