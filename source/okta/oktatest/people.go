package oktatest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// cast is the people and things in an org's log.
type cast struct {
	domain string
	users  []user
	apps   []app
	groups []group
	rule   string // id of the sign-on policy's rule
	policy string // id of the sign-on policy
}

type user struct {
	id, name, login string
	home            place
	ip              string // of the home or office where they mostly work
	browser         browser
	device          string // id of the laptop
	session         string // of their browser; empty: signed out
}

type app struct{ id, kind, name string } // kind: its name in Okta's catalogue

type group struct{ id, name string }

type place struct {
	city, state, country, postal string
	lat, lon                     number
	asn                          int
	org, isp, domain             string
	net                          string // first two bytes of its addresses; documentation and benchmark ranges
}

type browser struct{ raw, os, name string }

const castSize = 48

var givenNames = []string{"Amara", "Björn", "Chiara", "Dmitri", "Elena", "Farid", "Grace", "Hiroshi", "Ines", "Jonas",
	"Kavya", "Liam", "Māra", "Nnamdi", "Olga", "Priya", "Quentin", "Rosa", "Søren", "Tomás", "Uma", "Viktor", "Wanjiru", "Yuki"}

var familyNames = []string{"Abara", "Bergström", "Conti", "Dvořák", "Eriksen", "Fontaine", "Gupta", "Hartmann", "Ivanova",
	"Jensen", "Kowalski", "Lindqvist", "Moreau", "Nakamura", "O'Brien", "Pereira", "Quispe", "Rossi", "Schäfer", "Tanaka"}

var places = []place{
	{"Rotterdam", "South Holland", "Netherlands", "3011", "51.9225", "4.47917", 64496, "example fibre bv", "example fibre", "fibre.example", "203.0.113"},
	{"Denver", "Colorado", "United States", "80202", "39.7392", "-104.9903", 64497, "front range broadband", "front range broadband", "frontrange.example", "198.51.100"},
	{"Pune", "Maharashtra", "India", "411001", "18.5204", "73.8567", 64498, "deccan networks", "deccan networks", "deccan.example", "192.0.2"},
	{"São Paulo", "São Paulo", "Brazil", "01310", "-23.5500", "-46.6333", 64499, "paulista telecom", "paulista telecom", "paulista.example", "198.18.7"},
	{"Edinburgh", "Scotland", "United Kingdom", "EH1", "55.9533", "-3.1883", 64500, "caledonian net", "caledonian net", "caledonian.example", "198.18.44"},
	{"Osaka", "Osaka", "Japan", "530-0001", "34.6937", "135.5023", 64501, "kansai hikari", "kansai hikari", "hikari.example", "198.19.3"},
}

// attackerPlace is the origin of a guessing campaign's failed logins.
var attackerPlace = place{"Unknown", "", "Seychelles", "", "-4.6167", "55.4500", 64511, "bulletproof hosting ltd", "bulletproof hosting ltd", "hosting.example", "198.19.250"}

var browsers = []browser{
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "Mac OS 14.6.1 (Sonoma)", "CHROME"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Windows 10", "EDGE"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0", "Windows 11", "FIREFOX"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", "iOS (iPhone)", "SAFARI"},
	{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36", "Linux", "CHROME"},
}

var script = browser{"python-requests/2.32.3", "Unknown", "UNKNOWN"}

var appKinds = []app{
	{"", "salesforce", "Salesforce"}, {"", "google", "Google Workspace"}, {"", "amazon_aws_sso", "AWS IAM Identity Center"},
	{"", "slack", "Slack"}, {"", "office365", "Microsoft Office 365"}, {"", "github_enterprise_cloud", "GitHub Enterprise Cloud"},
	{"", "atlassian_cloud", "Atlassian Cloud"}, {"", "workday", "Workday"}, {"", "zoomus", "Zoom"}, {"", "oidc_client", "Travel & Expenses <intern>"},
}

var groupNames = []string{"Everyone", "Engineering", "Finance", "Sales EMEA", "Contractors", "Break-glass admins", "Außendienst", "On call"}

func newCast(r *rand.Rand) cast {
	c := cast{domain: "tidewater.example", policy: oktaID("rst", r.Uint64()), rule: oktaID("rul", r.Uint64())}
	for i := range castSize {
		c.users = append(c.users, newUser(r, c.domain, i))
	}
	for _, a := range appKinds {
		a.id = oktaID("0oa", r.Uint64())
		c.apps = append(c.apps, a)
	}
	for _, name := range groupNames {
		c.groups = append(c.groups, group{oktaID("00g", r.Uint64()), name})
	}
	return c
}

func newUser(r *rand.Rand, domain string, i int) user {
	given, family := givenNames[i%len(givenNames)], familyNames[r.IntN(len(familyNames))]
	home := places[r.IntN(len(places))]
	return user{
		id: oktaID("00u", r.Uint64()), name: given + " " + family,
		login: fmt.Sprintf("%s.%s%d@%s", plain(given), plain(family), i, domain),
		home:  home, ip: fmt.Sprintf("%s.%d", home.net, 1+r.IntN(254)),
		browser: browsers[r.IntN(len(browsers))], device: oktaID("guo", r.Uint64()),
		session: "idx" + token(r, 22),
	}
}

// plain makes a name fit for a login.
func plain(name string) string {
	name = strings.NewReplacer("á", "a", "ā", "a", "ä", "a", "ö", "o", "ø", "o", "ř", "r", "'", "").Replace(name)
	return strings.ToLower(name)
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// oktaID returns an id of Okta's form: a prefix for the kind, twenty characters in total.
func oktaID(prefix string, bits uint64) string {
	id := append(make([]byte, 0, 20), prefix...)
	for n := bits; len(id) < 20; n = mix(n) {
		id = append(id, base62[n%62])
	}
	return string(id)
}

// token returns a random text of n characters, such as a session's or a request's id.
func token(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = base62[r.IntN(62)]
	}
	return string(b)
}
