package jets

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

var (
	// ErrServerURL refuses what can't be the URL of a NATS server.
	ErrServerURL = errors.New("it is no address of a NATS server")
	// ErrUserInfo refuses a list of servers in which user and password can't be
	// told from the rest: nats.go would take a part of the password for a host.
	ErrUserInfo = errors.New("user and password can't be told from the hosts")
)

// CheckServers reports whether a comma separated list can be one of NATS servers:
// ErrServerURL or ErrUserInfo if not. An empty element is as good as none. In a list,
// each element up to the last one with a user must say its scheme and user, since a
// comma may as well be a part of a password.
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
		return ErrServerURL // neither a name nor an address of IPv6, which stands in brackets
	}
	return nil
}

// Hosts are the servers of a list as they may be shown: hosts and ports alone. Of a
// list that CheckServers refuses, it shows nothing before the last "@", and no port.
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
			rest, _, _ = strings.Cut(rest, ":") // behind it may stand a password without a host
		}
		if host := rest[strings.LastIndexByte(rest, '@')+1:]; host != "" {
			hosts = append(hosts, host)
		}
	}
	return strings.Join(slices.Compact(hosts), ", ")
}
