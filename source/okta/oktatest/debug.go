package oktatest

import (
	"fmt"
	"strings"
)

// debugData returns members that Okta makes no promise about: mostly texts, some of them
// containing JSON or Java maps.
func (s *scene) debugData() object {
	d := object{{"requestId", token(s.Rand, 32)}}
	if !s.job {
		uri := s.uri()
		d = append(d, member{"requestUri", uri}, member{"url", uri + "?"}, member{"dtHash", fmt.Sprintf("%016x%016x%016x%016x", s.Uint64(), s.Uint64(), s.Uint64(), s.Uint64())},
			member{"threatSuspected", "false"}, member{"traceId", s.g.uuid()})
	}
	d = append(d, s.debug...)
	if s.IntN(2) == 0 && !s.job {
		d.set("risk", s.riskText())
		d.set("behaviors", "{New Geo-Location=NEGATIVE, New Device=NEGATIVE, New IP=NEGATIVE, New State=NEGATIVE, New Country=NEGATIVE, Velocity=NEGATIVE, New City=NEGATIVE}")
	}
	if s.IntN(4) == 0 && !s.job {
		d.set("logOnlySecurityData", fmt.Sprintf(`{"risk":{"level":"%s"},"behaviors":{"New Geo-Location":"NEGATIVE","New Device":"NEGATIVE","New IP":"NEGATIVE","New State":"NEGATIVE","New Country":"NEGATIVE","Velocity":"NEGATIVE","New City":"NEGATIVE"}}`, s.level()))
	}
	if s.IntN(25) == 0 && !s.job {
		d.set("tunnels", `[{"anonymous":true,"operator":"EXAMPLE VPN","type":"VPN"}]`)
		d.set("proxyType", "VPN")
	}
	if s.IntN(1200) == 0 {
		d.set("batch", s.bulk(100_000))
	}
	return d
}

func (s *scene) level() string {
	if s.risk != "" {
		return s.risk
	}
	return "LOW"
}

// riskText returns one of two formats.
func (s *scene) riskText() string {
	if s.level() == "LOW" {
		return "{level=LOW}"
	}
	if s.IntN(2) == 0 {
		return fmt.Sprintf("{reasons=Anomalous Location, Suspicious IP, level=%s}", s.level())
	}
	return fmt.Sprintf(`{"reasons":["Anomalous Location"],"level":"%s"}`, s.level())
}

func (s *scene) uri() string {
	switch {
	case strings.HasPrefix(s.kind, "user.authentication"), strings.HasPrefix(s.kind, "policy.evaluate"):
		return "/idp/idx/identify"
	case strings.HasPrefix(s.kind, "user.session"):
		return "/api/v1/authn"
	case strings.HasPrefix(s.kind, "app.oauth2"):
		return "/oauth2/v1/token"
	}
	return "/api/v1/" + strings.ReplaceAll(strings.SplitN(s.kind, ".", 2)[0], "_", "-") + "s"
}

// bulk returns a text of n bytes, as bulk operations write.
func (s *scene) bulk(n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%s=%s,", oktaID("00u", s.Uint64()), token(s.Rand, 12))
	}
	return b.String()
}
