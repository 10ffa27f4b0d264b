package oktatest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// scene is an event being made: who, from where, and its content.
type scene struct {
	*rand.Rand
	g         *generator
	published time.Time

	kind     string // eventType
	display  any
	severity string
	legacy   any
	outcome  object

	user    *user  // nil: the org itself
	session string // of the user's browser; empty: none
	place   place
	ip      string
	browser browser
	job     bool // done by a job of the org, without browser and address

	provider, credential any
	targets              array // nil: null
	detail               object
	debug                object
	risk                 string
}

func (g *generator) newScene(published time.Time) *scene {
	u := &g.cast.users[g.rand.IntN(len(g.cast.users))]
	s := &scene{Rand: g.rand, g: g, published: published, severity: "INFO", user: u,
		session: u.session, place: u.home, ip: u.ip, browser: u.browser, outcome: object{{"result", "SUCCESS"}, {"reason", nil}}}
	if g.rand.IntN(9) == 0 { // travelling
		s.place = places[g.rand.IntN(len(places))]
		s.ip = g.address(s.place)
	}
	return s
}

// be sets the kind of event.
func (s *scene) be(kind, display string, legacy any) {
	s.kind, s.display, s.legacy = kind, display, legacy
}

func (s *scene) end(result string, reason any) {
	s.outcome = object{{"result", result}, {"reason", reason}}
}

func (s *scene) target(o object) { s.targets = append(s.targets, o) }

// event combines the parts.
func (s *scene) event(uuid string) object {
	transaction := "WEB"
	if s.job {
		transaction = "JOB"
	}
	var targets any
	if s.targets != nil {
		targets = s.targets
	}
	detail := s.detail
	if detail == nil {
		detail = object{}
	}
	e := object{
		{"actor", s.actor()},
		{"client", s.client()},
		{"device", s.device()},
		{"authenticationContext", s.authentication()},
		{"displayMessage", s.display},
		{"eventType", s.kind},
		{"outcome", s.outcome},
		{"published", publishedText(s.published)},
		{"securityContext", s.security()},
		{"severity", s.severity},
		{"debugContext", object{{"debugData", s.debugData()}}},
		{"legacyEventType", s.legacy},
		{"transaction", object{{"type", transaction}, {"id", token(s.Rand, 27)}, {"detail", detail}}},
		{"uuid", uuid},
		{"version", "0"},
		{"request", s.request()},
		{"target", targets},
	}
	if s.IntN(40) == 0 {
		e.set("insertionTimestamp", nil)
	}
	return e
}

func (s *scene) actor() object {
	if s.user == nil {
		return object{{"id", oktaID("00u", 7)}, {"type", "SystemPrincipal"}, {"alternateId", "system@okta.com"},
			{"displayName", "Okta System"}, {"detailEntry", nil}}
	}
	return object{{"id", s.user.id}, {"type", "User"}, {"alternateId", s.user.login},
		{"displayName", s.user.name}, {"detailEntry", nil}}
}

func (s *scene) client() object {
	if s.job {
		return object{{"userAgent", nil}, {"zone", nil}, {"device", nil}, {"id", nil}, {"ipAddress", nil}, {"geographicalContext", nil}}
	}
	zone, device := "null", "Computer"
	if s.IntN(5) == 0 {
		zone = "HQ and VPN"
	}
	if s.browser.os == "iOS (iPhone)" {
		device = "Mobile"
	}
	var ip any = s.ip
	if s.IntN(400) == 0 {
		ip = "null" // a text, as in some orgs
	}
	agent := object{{"rawUserAgent", s.browser.raw}, {"os", s.browser.os}, {"browser", s.browser.name}}
	if s.IntN(500) == 0 {
		agent[0].value = s.browser.raw + "\n\"};drop\t" // chosen by the sender
	}
	return object{{"userAgent", agent}, {"zone", zone}, {"device", device}, {"id", nil}, {"ipAddress", ip},
		{"geographicalContext", s.geography()}}
}

func (s *scene) geography() object {
	p := s.place
	return object{{"city", p.city}, {"state", orNil(p.state)}, {"country", p.country}, {"postalCode", orNil(p.postal)},
		{"geolocation", object{{"lat", p.lat}, {"lon", p.lon}}}}
}

// device is mostly null; if present, its members have one of two sets of names.
func (s *scene) device() any {
	if s.job || s.user == nil || s.IntN(4) != 0 {
		return nil
	}
	os, version, name := "os_platform", "os_version", "device_integrator"
	if s.IntN(3) == 0 {
		os, version, name = "platform", "osVersion", "deviceIntegrator"
	}
	system, _, _ := strings.Cut(s.user.browser.os, " ")
	return object{{"id", s.user.device}, {"name", "LT-" + s.user.device[12:]}, {os, strings.ToUpper(system)}, {version, "14.6.1"},
		{"managed", s.IntN(2) == 0}, {"registered", true}, {name, nil}, {"disk_encryption_type", "ALL_INTERNAL_VOLUMES"},
		{"screen_lock_type", "BIOMETRIC"}, {"jailbreak", nil}, {"secure_hardware_present", true}}
}

func (s *scene) authentication() object {
	session := "unknown"
	var root any
	if s.user != nil && s.session != "" {
		session, root = s.session, s.session
	}
	a := object{{"authenticationProvider", s.provider}, {"credentialProvider", nil}, {"credentialType", s.credential},
		{"issuer", nil}, {"interface", nil}, {"authenticationStep", 0}, {"externalSessionId", session}}
	if s.IntN(2) == 0 {
		a.set("rootSessionId", root)
	}
	return a
}

func (s *scene) security() object {
	if s.job {
		return object{{"asNumber", nil}, {"asOrg", nil}, {"isp", nil}, {"domain", nil}, {"isProxy", nil}}
	}
	p := s.place
	c := object{{"asNumber", p.asn}, {"asOrg", p.org}, {"isp", p.isp}, {"domain", p.domain}, {"isProxy", false}}
	if s.IntN(3) == 0 {
		level := s.risk
		if level == "" {
			level = "LOW"
		}
		c.set("risk", object{{"level", level}, {"previousLevel", nil}, {"reasons", nil}, {"issuer", nil}, {"detectionName", nil}})
		c.set("userBehaviors", array{object{{"id", oktaID("bhv", 3)}, {"name", "New City"}, {"result", "NEGATIVE"}}})
		c.set("botProtection", nil)
	}
	return c
}

func (s *scene) request() object {
	if s.job {
		return object{}
	}
	hop := object{{"ip", s.ip}, {"geographicalContext", s.geography()}, {"version", "V4"}, {"source", nil}}
	chain := array{hop}
	if s.IntN(10) == 0 {
		chain = append(chain, object{{"ip", fmt.Sprintf("2001:db8:%x::%x", s.IntN(1<<16), s.IntN(1<<16))},
			{"geographicalContext", s.geography()}, {"version", "V6"}, {"source", "proxy"}})
	}
	return object{{"ipChain", chain}}
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}
