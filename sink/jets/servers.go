package jets

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

var (
	// ErrServerURL refuses an invalid URL of a NATS server.
	ErrServerURL = errors.New("it is not the address of a NATS server")
	// ErrUserInfo refuses a list of servers in which user and password can't be separated
	// from the hosts: nats.go would take part of the password for a host.
	ErrUserInfo = errors.New("user and password can't be separated from the hosts")
)

// CheckServers checks a comma separated list of NATS servers: ErrServerURL or
// ErrUserInfo. Empty elements are ignored. Each element up to the last one with a user
// must have a scheme and a user, because a comma may be part of a password.
func CheckServers(urls string) error {
	list := strings.Split(urls, ",")
	last := len(list) - 1
	for last > 0 && !strings.Contains(list[last], "@") {
		last--
	}
	for n, one := range list {
		one = strings.TrimSpace(one)
		if last > 0 && n <= last && one != "" && (!strings.Contains(one, "://") || !strings.Contains(one, "@")) {
			return ErrUserInfo
		}
		if err := checkServer(one); err != nil {
			return err
		}
	}
	return nil
}

var serverSchemes = []string{"nats", "tls", "ws", "wss", "tcp"}

func checkServer(server string) error {
	if server == "" {
		return nil
	}
	bad := ErrServerURL
	if strings.Contains(server, "@") {
		bad = ErrUserInfo
	}
	if !strings.Contains(server, "://") {
		server = "nats://" + server
	}
	_, rest, _ := strings.Cut(server, "://")
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 && strings.Contains(rest[end:], "@") {
		return ErrUserInfo
	}
	u, err := url.Parse(server)
	switch {
	case err != nil || u.Hostname() == "":
		return bad
	case !slices.Contains(serverSchemes, u.Scheme):
		return ErrServerURL
	case strings.Contains(u.Hostname(), ":") && !strings.HasPrefix(u.Host, "["):
		return ErrServerURL // neither a name nor an IPv6 address in brackets
	}
	return nil
}

// Hosts returns the servers of a list without credentials: hosts and ports. Of a list
// that CheckServers refuses it shows nothing before the last "@", and no ports.
func Hosts(urls string) string {
	refused := CheckServers(urls) != nil
	if refused {
		urls = urls[strings.LastIndexByte(urls, '@')+1:]
	}
	var hosts []string
	for one := range strings.SplitSeq(urls, ",") {
		_, rest, found := strings.Cut(strings.TrimSpace(one), "://")
		if !found {
			rest = strings.TrimSpace(one)
		}
		if end := strings.IndexAny(rest, `/?#\`); end >= 0 {
			rest = rest[:end]
		}
		if refused {
			rest, _, _ = strings.Cut(rest, ":") // a password without a host may follow
		}
		if host := rest[strings.LastIndexByte(rest, '@')+1:]; host != "" {
			hosts = append(hosts, host)
		}
	}
	return strings.Join(slices.Compact(hosts), ", ")
}
