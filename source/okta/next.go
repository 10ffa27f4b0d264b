package okta

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/page"
)

// next returns the next link of an answer; empty: none. An answer whose link leads to
// another host is refused as a whole: its sender is not trusted with a cursor.
func (c *Client) next(values []string) (pipeline.Link, error) {
	for target, rel := range page.Links(values) {
		if !page.HasRel(rel, "next") {
			continue
		}
		link, err := c.keep(target)
		if err != nil {
			return "", fmt.Errorf("answer refused: next link %.200q %w", c.redact(target), err)
		}
		return link, nil
	}
	return "", nil
}

// keep checks the target of a next link and returns its path and query, byte for byte.
func (c *Client) keep(target string) (pipeline.Link, error) {
	target, _, _ = strings.Cut(target, "#")
	scheme, authority, rest := dissect(target)
	if scheme != "" && !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
		return "", fmt.Errorf("has scheme %.20q", scheme)
	}
	if scheme != "" || authority != "" {
		if err := c.checkHost(authority); err != nil {
			return "", err
		}
	} else if strings.HasPrefix(rest, "?") {
		rest = logsPath + rest
	}
	if !isLogs(rest) {
		return "", fmt.Errorf("leads to another path than %s", logsPath)
	}
	return pipeline.Link(rest), nil
}

// dissect splits a URL reference into its parts without changing a byte.
func dissect(target string) (scheme, authority, rest string) {
	rest = target
	if before, after, ok := strings.Cut(target, ":"); ok && !strings.ContainsAny(before, "/?") {
		scheme, rest = before, after
	}
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return scheme, "", rest
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		return scheme, rest, ""
	}
	return scheme, rest[:end], rest[end:]
}

// isLogs reports whether a path and query request the System Log and fit a request line.
func isLogs(link string) bool {
	rest, ok := strings.CutPrefix(link, logsPath)
	return ok && (rest == "" || rest[0] == '?') && printable(rest) && !strings.ContainsAny(rest, " #")
}

// printable reports whether a text is printable ASCII.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

// checkHost accepts the org's own host, hosts under Okta's domains, because an org has
// several names, and those in settings.link_hosts.
func (c *Client) checkHost(authority string) error {
	if strings.ContainsAny(authority, `@\`) {
		return errors.New("has user info")
	}
	link := hostOf(authority)
	if link.name == "" {
		return errors.New("names no host")
	}
	if origin, err := url.Parse(c.Origin); err == nil && hostOf(origin.Host) == link {
		return nil
	}
	if link.port == "" && slices.ContainsFunc(domains, link.under) {
		return nil
	}
	if slices.ContainsFunc(c.LinkHosts, func(allowed string) bool { return hostOf(allowed) == link }) {
		return nil
	}
	return fmt.Errorf("leads to host %.100q, which is %w", c.redact(authority), source.ErrLinkHost)
}

// host is a host's lower-case name and its port, empty for the default ones.
type host struct{ name, port string }

func hostOf(authority string) host {
	name, port, err := net.SplitHostPort(authority)
	if err != nil {
		name, port = strings.Trim(authority, "[]"), ""
	}
	if port == "443" || port == "80" {
		port = ""
	}
	return host{strings.ToLower(strings.TrimSuffix(name, ".")), port}
}

func (h host) under(suffix string) bool {
	return h.name == suffix || strings.HasSuffix(h.name, "."+suffix)
}
