package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source"
)

func (s *surroundings) orgChecks() []check {
	var checks []check
	if s.oktaFault != nil {
		p := problem.Of(problem.Split(s.oktaFault)[0])
		checks = append(checks, one(groupInstance, "environment", func(_ context.Context, d *observation) {
			d.wrong(fmt.Sprintf("%s: %v", p.Op, p.Err), p.Hint)
		}))
	}
	switch orgs := s.orgs(); {
	case s.conn == nil:
		checks = append(checks, skipped(groupInstance, "integrations", notReached+", so INTEGRATIONS is not read"))
	case s.writtenErr != nil:
		checks = append(checks, failed(groupInstance, "integrations", s.writtenErr))
	case len(orgs) == 0 && len(s.instances) == 0:
		checks = append(checks, one(groupInstance, "integrations", func(_ context.Context, d *observation) {
			d.warn("no org is configured", cli.FirstCommand)
		}))
	}
	for _, o := range s.orgs() {
		checks = append(checks, check{groupInstance, o.instance, "request", func(ctx context.Context) []finding { return s.orgFound(ctx, o) }})
	}
	return checks
}

// unknown returns the error of a given org that does not exist, as far as that can be told.
func (s *surroundings) unknown() error {
	if s.conn == nil || s.writtenErr != nil || s.oktaFault != nil {
		return nil
	}
	all := s.orgs()
	for _, instance := range s.instances {
		if !slices.ContainsFunc(all, func(o org) bool { return o.instance == instance }) {
			return orgs.BesidesEnvironment(orgs.NotFound(instance, slices.Sorted(maps.Keys(s.written))))
		}
	}
	return nil
}

// orgFound checks one org. A check is skipped if one that it needs has failed.
func (s *surroundings) orgFound(ctx context.Context, o org) []finding {
	var all []finding
	add := func(check string, look func(*observation)) outcome {
		var d observation
		look(&d)
		f := d.finding(groupInstance, o.instance, check)
		all = append(all, f)
		return f.Result
	}
	if o.stored || o.ours || o.theirs {
		if add("configuration", o.configuration) == outcomeWrong {
			return all
		}
		if !o.entry.Integration.Enabled {
			status := s.statuses[o.instance]
			if notice := orgs.CredentialNotice(status); notice != "" {
				add("token", func(d *observation) { d.warn(notice, "signal-client integrations enable "+o.instance) })
			} else if !status.TokenUsedAt.IsZero() {
				add("token", func(d *observation) { d.fact("it was last used %s", term.Relative(status.TokenUsedAt, s.now)) })
			}
			return all
		}
		s.ask(ctx, o.entry.Integration, add)
	}
	add("progress", func(d *observation) {
		s.progress(o, d)
		if notice := orgs.CredentialNotice(s.statuses[o.instance]); notice != "" && o.entry.Integration.Enabled {
			d.warn(notice, "give another one: signal-client integrations set "+o.instance+" --token-next-from <file>, or replace the file")
		}
		s.somebodyElse(ctx, o, d)
	})
	return all
}

// somebodyElse warns if the newest message on an org's subject is not the service's.
func (s *surroundings) somebodyElse(ctx context.Context, o org, d *observation) {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	m, err := s.conn.Last(ctx, jets.StreamSignals, jets.SubjectEvents(o.kind.Name, o.instance))
	if err == nil && m.Foreign() {
		d.warn(fmt.Sprintf("another client publishes on %s (message %d) and delays its events", m.Subject, m.Seq),
			"allow only the service's user to publish there, in the permissions of NATS")
	}
}

// ask checks the way to an org, and sends it one request.
func (s *surroundings) ask(ctx context.Context, i pipeline.Integration, add func(string, func(*observation)) outcome) {
	token, err := i.Kind.Credential(ctx, i)
	add("token", func(d *observation) { d.token(i, err, err == nil && !token.IsZero()) })
	if s.offline {
		return
	}
	const before = "an earlier check failed"
	client, fault := s.network.Source().Client(ctx, i)
	way := add("dns", func(d *observation) {
		if fault != nil {
			d.wrong(problem.Innermost(fault), "write a file of certificates in PEM that this user can read, or run doctor where the service runs, as its user")
			return
		}
		d.dns(ctx, i.Origin, client)
	})
	if way != outcomeWrong {
		way = add("tls", func(d *observation) { d.tls(ctx, i.Origin, client) })
	} else {
		add("tls", func(d *observation) { d.skip(before) })
	}
	if way == outcomeWrong || err != nil || token.IsZero() {
		why := before
		if way != outcomeWrong && i.Static {
			why = "there is no token here to send a request with"
		}
		add("request", func(d *observation) { d.skip(why) })
		add("headers", func(d *observation) { d.skip(why) })
		return
	}
	client, seen := witnessed(client)
	t := orgs.Probe(ctx, i, token, client)
	add("request", func(d *observation) { d.request(t) })
	add("headers", func(d *observation) {
		d.headers(i, t, seen)
		if l := s.statuses[i.Instance].RateLimit; l != nil && l.Cap != nil {
			d.fact("%s", l.Cap)
		}
	})
}

func (o org) configuration(d *observation) {
	i := o.entry.Integration
	switch {
	case o.entry.Err != nil:
		d.wrong(o.entry.Err.Error(), orgs.Correction(o.instance, o.entry.Err))
	case !i.Enabled:
		d.skip("it is disabled")
	default:
		d.fact("%s every %s", i.Origin, term.ExactSpan(i.PollInterval))
		if o.ours && !o.stored {
			d.fact("from the environment")
		}
		if o.theirs {
			d.fact("from the service's environment")
		}
	}
}

func (d *observation) token(i pipeline.Integration, err error, set bool) {
	flag, variable := "--token-file", "OKTA_API_TOKEN_FILE"
	if i.ClientID != "" {
		flag, variable = "--private-key-file", "OKTA_PRIVATE_KEY_FILE"
	}
	change := "signal-client integrations set " + i.Instance + " " + flag + " <file>"
	file := i.CredentialFile()
	switch {
	case i.Static && !set:
		d.skip("the service has it from its environment, doctor does not; to send the org a request: " + variable + "=<file>, here")
	case i.Sealed != "":
		d.wrong(problem.Innermost(err), "SIGNAL_CLIENT_SECRET_KEY_FILE=<the service's>; or set it again: signal-client integrations set "+i.Instance+" --token-from <file>")
	case err != nil:
		d.wrong(problem.Innermost(err), change+", or run doctor where the service runs, as its user")
	case !set:
		d.wrong("there is none", change)
	case i.TokenEnv != "":
		d.fact("%s is set", i.TokenEnv)
	case file == "":
		d.fact("it is set")
	default:
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o004 != 0 && runtime.GOOS != "windows" { // there the mode says nothing
			d.warn(fmt.Sprintf("%s is readable by every user of this machine", file), "chmod o-r "+file)
		}
		d.fact("%s can be read", file)
	}
}

// proxied returns the proxy for an org; empty: none.
func proxied(ctx context.Context, origin string, client *http.Client) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin, nil)
	if err != nil {
		return "", err
	}
	proxy, err := client.Transport.(*http.Transport).Proxy(req)
	if err != nil || proxy == nil {
		return "", err
	}
	return proxy.Host, nil
}

func (d *observation) dns(ctx context.Context, origin string, client *http.Client) {
	u, _ := url.Parse(origin)
	switch proxy, err := proxied(ctx, origin, client); {
	case err != nil:
		d.wrong(err.Error(), "correct HTTPS_PROXY")
		return
	case proxy != "":
		d.skip("the proxy " + proxy + " looks it up")
		return
	}
	if net.ParseIP(u.Hostname()) != nil {
		d.fact("%s is an address", u.Hostname())
		return
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	switch dns, named := errors.AsType[*net.DNSError](err); {
	case named && dns.IsNotFound:
		d.wrong("there is no host "+u.Hostname(), "correct settings.fqdn: the org's host name, as in the browser but without -admin")
	case err != nil:
		d.wrong(term.Printable(err.Error()), "check this machine's DNS")
	default:
		slices.Sort(addresses)
		d.fact("%s is %s", u.Hostname(), few(addresses))
	}
}

// Days until a certificate expires; by then it should have been renewed.
const (
	fewDays     = 14
	hardlyADays = 2
)

// tls checks the certificates that the org presents.
func (d *observation) tls(ctx context.Context, origin string, client *http.Client) {
	u, _ := url.Parse(origin)
	if u.Scheme != "https" {
		d.fact("plain http, which loopback alone may use")
		return
	}
	if proxy, err := proxied(ctx, origin, client); proxy != "" || err != nil {
		d.skip(strings.TrimSpace("the proxy "+proxy) + " is in between; the request shows")
		return
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "443")
	}
	state, err := handshake(ctx, client, address, u.Hostname())
	if err != nil {
		d.wrong(term.Printable(err.Error()), cmp.Or(source.Unreached(err).Remedy, "check the network (firewall, proxy)"))
		return
	}
	leaf := state.PeerCertificates[0]
	end := leaf.NotAfter
	for _, c := range state.VerifiedChains[0] {
		end = pipeline.Earlier(end, c.NotAfter)
	}
	days := int(math.Floor(time.Until(end).Hours() / 24))
	text := fmt.Sprintf("%s, issued by %s, %s left", tls.VersionName(state.Version), term.Printable(issuer(leaf.Issuer.Organization, leaf.Issuer.CommonName)), term.Count(days, "day"))
	d.grade(days < hardlyADays, days < fewDays, text,
		"have the certificate renewed before it expires and requests fail (a custom domain's certificate is yours to renew, in Okta or by Okta)")
}

func issuer(organization []string, name string) string {
	if len(organization) > 0 {
		return organization[0]
	}
	return name
}

// handshake returns the state of a TLS connection as the client opens it.
func handshake(ctx context.Context, client *http.Client, address, name string) (tls.ConnectionState, error) {
	transport := client.Transport.(*http.Transport)
	plain, err := transport.DialContext(ctx, "tcp", address)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer plain.Close()
	config := transport.TLSClientConfig.Clone()
	config.ServerName = name
	conn := tls.Client(plain, config)
	err = conn.HandshakeContext(ctx)
	return conn.ConnectionState(), err
}

// witness records the headers of the last answer.
type witness struct {
	http.RoundTripper
	header http.Header
	at     time.Time
	took   time.Duration
}

func witnessed(client *http.Client) (*http.Client, *witness) {
	w := &witness{RoundTripper: client.Transport}
	seen := *client
	seen.Transport = w
	return &seen, w
}

// RoundTrip implements http.RoundTripper.
func (w *witness) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := w.RoundTripper.RoundTrip(req)
	if err == nil {
		w.at = time.Now()
		w.header, w.took = resp.Header.Clone(), w.at.Sub(began)
	}
	return resp, err
}

// request reports the result of the one request.
func (d *observation) request(t orgs.ProbeResult) {
	switch t.Verdict {
	case orgs.VerdictWorks:
		d.fact("answered in %s", term.Span(time.Duration(t.Seconds*float64(time.Second))))
		if t.Newest != nil {
			d.fact("newest event %s", term.Relative(t.Newest.Published, time.Now()))
		} else {
			d.fact("no event within 24 hours")
		}
	case orgs.VerdictThrottled:
		d.warn(t.Verdict+": "+t.Error, t.Hint)
	default:
		d.wrong(t.Verdict+": "+t.Error, t.Hint)
	}
}

func (d *observation) headers(i pipeline.Integration, t orgs.ProbeResult, seen *witness) {
	if seen.header == nil {
		d.skip("there was no answer")
		return
	}
	const proxy = "check for a proxy that removes them"
	switch {
	case t.RateLimit == nil && t.Code != problem.OK: // a refusal need not have them
	case t.RateLimit == nil:
		d.warn("no X-Rate-Limit headers: the budget is unknown, and only refusals slow the service down", proxy)
	default:
		d.fact("%d of %d requests left", t.RateLimit.Remaining, t.RateLimit.Limit)
	}
	if date, err := http.ParseTime(seen.header.Get("Date")); err != nil {
		d.warn("no Date: only events move the watermark", proxy)
	} else {
		// Date is cut to seconds.
		d.skew("the org's", date.Add(500*time.Millisecond).Sub(seen.at), seen.took+500*time.Millisecond)
	}
	if t.Newest != nil && !strings.Contains(strings.Join(seen.header.Values("Link"), ","), "<") {
		d.wrong("no Link: polling can't continue from page to page", proxy)
	}
	if t.Code == problem.OK && seen.header.Get("X-Okta-Request-Id") == "" {
		d.warn(fmt.Sprintf("no X-Okta-Request-Id: %s may not be Okta, or a proxy removes it", i.Origin), "check settings.fqdn")
	}
}
