package okta

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// domains are the domains under which Okta serves orgs; a custom domain is under none
// of them. Read-only. Source: Okta's "Find your domain" guide, read 2026-08-21; the last
// three are common knowledge.
var domains = []string{"okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil", "trexcloud.com"}

// ParseOrigin turns what people paste into an origin such as "https://acme.okta.com": a
// host name, or a URL with a path, in any case. A port is kept unless it is the scheme's
// default. Plain http is for loopback hosts only. An error says what is wrong and what to
// write; it shows no user info.
func ParseOrigin(s string) (string, error) {
	if strings.Contains(s, "@") { // anywhere: a password may contain characters that end a host
		return "", errors.New("holds user info (write the host name alone; credentials have a place of their own)")
	}
	scheme, authority := splitURL(s)
	if authority == "" {
		return "", errors.New("names no host (write the org's host name, such as acme.okta.com)")
	}
	if scheme != "https" && scheme != "http" {
		return "", fmt.Errorf("has the scheme %.20q (write https)", scheme)
	}
	host, port, err := splitHost(authority)
	if err != nil {
		return "", err
	}
	if scheme == "http" && !loopback(host) {
		return "", fmt.Errorf("is plain http, which is for loopback hosts only (write https://%s)", host)
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	return (&url.URL{Scheme: scheme, Host: joinHost(host, port)}).String(), nil
}

// parseFQDN is ParseOrigin for a host name: it drops a pasted scheme and refuses a port.
func parseFQDN(s string) (string, error) {
	_, authority := splitURL(s)
	if strings.Contains(s, "@") {
		authority = s // so that ParseOrigin refuses it
	}
	origin, err := ParseOrigin(authority)
	if err != nil {
		return "", err
	}
	host := strings.TrimPrefix(origin, "https://")
	if _, port, _ := splitHost(host); port != "" {
		return "", errors.New("has a port (write the URL as settings.base_url instead)")
	}
	if !strings.Contains(host, ".") && !loopback(host) {
		return "", fmt.Errorf("is no full host name (write %s.okta.com, or the org's custom domain)", host)
	}
	return origin, nil
}

// CleanOrigin returns the origin of the org in what people paste as its host name: a URL
// of any page, the Admin Console's included, in any case, with spaces. Hosts other than
// this machine are asked by https, whatever the scheme; a loopback host with a port but
// no scheme by http.
func CleanOrigin(pasted string) (string, error) {
	pasted = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, pasted)
	if strings.Contains(pasted, "@") {
		return ParseOrigin(pasted) // which refuses it
	}
	scheme, authority := splitURL(pasted)
	u, err := url.Parse("//" + authority)
	if err != nil || !loopback(u.Hostname()) {
		return parseFQDN(withoutAdmin(authority))
	}
	if u.Port() != "" && !strings.Contains(pasted, "://") {
		scheme = "http"
	}
	return ParseOrigin(scheme + "://" + authority)
}

// withoutAdmin returns the org's host instead of that of its Admin Console.
func withoutAdmin(host string) string {
	for _, suffix := range domains {
		if org, ok := strings.CutSuffix(host, "-admin."+suffix); ok {
			return org + "." + suffix
		}
	}
	return host
}

// splitURL returns the scheme, and the host with its port, of what may be a URL.
func splitURL(s string) (scheme, authority string) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(s), "://")
	if !ok {
		scheme, rest = "https", scheme
	}
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 {
		rest = rest[:end]
	}
	return strings.ToLower(scheme), strings.ToLower(strings.TrimSpace(rest))
}

// splitHost separates host and port and checks both.
func splitHost(authority string) (host, port string, err error) {
	u, err := url.Parse("//" + authority)
	if err != nil {
		return "", "", fmt.Errorf("is not a host name: %.60q (write one such as acme.okta.com)", authority)
	}
	host = strings.TrimSuffix(u.Hostname(), ".")
	if err := checkHost(host); err != nil {
		return "", "", err
	}
	return host, u.Port(), nil
}

func joinHost(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return host
}

var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func checkHost(host string) error {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		return nil
	}
	if len(host) > 253 || !hostName.MatchString(host) {
		return fmt.Errorf("is not a host name: %.60q (write one such as acme.okta.com)", host)
	}
	for _, suffix := range domains {
		if host == suffix {
			return fmt.Errorf("names no org (write the org's own host name, such as acme.%s)", suffix)
		}
		org, under := strings.CutSuffix(host, "."+suffix)
		if name, admin := strings.CutSuffix(org, "-admin"); under && admin {
			return fmt.Errorf("is the Admin Console, %s, which serves no API (write %s.%s)", host, name, suffix)
		}
	}
	return nil
}

// loopback reports whether a host can only be this machine.
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
