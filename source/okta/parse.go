package okta

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/okta/oauth"
)

// ParseIntegration reads a value of INTEGRATIONS, checks it and fills in the defaults;
// "enabled" defaults to true. It is lenient, because there are other writers: unknown
// members are ignored, null and the empty string count as absent, and a number or boolean
// may be a string. Its error is a *ConfigError, which shows nothing from "credentials".
func ParseIntegration(instance string, data []byte) (pipeline.Integration, error) {
	d := newDraft(data)
	d.checkInstance(instance)
	if !d.isObject() {
		return pipeline.Integration{Instance: instance}, d.err()
	}
	i := pipeline.Integration{
		Instance:     instance,
		Name:         d.text("name"),
		Enabled:      d.enabled(),
		Origin:       d.origin(),
		PollInterval: d.interval(),
		Since:        d.since(),
		Filter:       d.text("settings.filter"),
		Limit:        int(d.number("settings.limit")),
		RateShare:    d.number("settings.rate_share"),
		LinkHosts:    d.linkHosts(),
		CAFile:       d.text("settings.ca_file"),
	}
	i.Proxy, i.ProxyPassword = d.proxy(i.Origin)
	i.AnotherOrg, _ = ParseOrigin(d.text("settings.another_org")) // an unreadable origin confirms nothing
	i.Source = cmp.Or(d.source(), i.Origin)
	d.credential(&i)
	if err := d.err(); err != nil {
		return pipeline.Integration{Instance: instance}, err
	}
	return i, nil
}

func (d *draft) enabled() bool {
	enabled, ok := d.at("enabled").(bool)
	return enabled || !ok
}

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (d *draft) checkInstance(instance string) {
	if !slug.MatchString(instance) {
		d.complain("instance", fmt.Sprintf("is no slug: %.70q", instance),
			"name it with 1 to 63 small letters, digits and hyphens, such as acme-prod")
	}
}

func (d *draft) origin() string {
	field, parse := "settings.fqdn", parseFQDN
	if d.at("settings.base_url") != nil {
		field, parse = "settings.base_url", ParseOrigin
	}
	switch v := d.at(field).(type) {
	case string:
		origin, err := parse(v)
		if err != nil {
			d.complain(field, err.Error(), "")
		}
		return origin
	case nil:
		if _, ok := d.at("settings").(map[string]any); ok {
			d.complain(field, "is missing", fieldAt(field).Advice)
		}
	}
	return ""
}

// source returns the origin of the fqdn beside a base_url; empty: none.
func (d *draft) source() string {
	fqdn, _ := d.at("settings.fqdn").(string)
	origin, _ := parseFQDN(fqdn) // an overridden fqdn need not be right
	return origin
}

func (d *draft) interval() time.Duration {
	field := "poll_interval"
	interval, err := pipeline.ParseDuration(d.text(field))
	if err != nil {
		d.complain(field, err.Error(), fieldAt(field).Advice)
		return 0
	}
	if minutes := d.number("poll_interval_minutes"); minutes > 0 { // there is no poll_interval, see tidy
		field = "poll_interval_minutes"
		interval = time.Duration(min(minutes, 1e6) * float64(time.Minute))
	}
	if interval < time.Second || interval > Retention {
		d.complain(field, "must be 1 second to 90 days", fieldAt(field).Advice)
	}
	return interval
}

func (d *draft) since() pipeline.Since {
	const field = "settings.since"
	s := cmp.Or(strings.TrimSpace(d.text(field)), fmt.Sprint(fieldAt(field).Default))
	if moment, err := pipeline.ParseTime(s); err == nil {
		return pipeline.Since{Moment: moment}
	}
	age, err := pipeline.ParseDuration(s)
	if err != nil {
		d.complain(field, fmt.Sprintf("is neither a duration nor a time: %.60q", s), fieldAt(field).Advice)
	} else if age < 0 {
		d.complain(field, "must not be negative", fieldAt(field).Advice)
	}
	return pipeline.Since{Age: age}
}

func (d *draft) linkHosts() []string {
	list, _ := d.at("settings.link_hosts").([]any)
	var hosts []string
	for n, v := range list {
		s, ok := v.(string)
		if !ok || s == "" {
			continue // the schema has complained
		}
		origin, err := ParseOrigin(s)
		if err != nil {
			d.complain(fmt.Sprintf("settings.link_hosts[%d]", n), err.Error(), "")
			continue
		}
		_, host, _ := strings.Cut(origin, "://")
		hosts = append(hosts, host)
	}
	return hosts
}

// proxy reads the proxy and the password of its user.
func (d *draft) proxy(origin string) (string, pipeline.Secret) {
	const field, secret = "settings.proxy", "credentials.proxy_password"
	given, password := d.text(field), pipeline.NewSecret(strings.TrimRight(d.text(secret), "\r\n"))
	if given == "" {
		if !password.IsZero() && d.at(field) == nil {
			d.complain(secret, "is of no use without settings.proxy", "write the proxy into settings.proxy")
		}
		return "", pipeline.Secret{}
	}
	proxy, user, err := source.ParseProxy(given)
	switch {
	case err != nil:
		d.complain(field, err.Error(), "")
	case strings.HasPrefix(origin, "http://"):
		d.complain(field, "is not for plain http, whose requests a proxy could read", "leave it out")
	case user == "" && !password.IsZero():
		d.complain(field, "names no user for the password", "write the user before the host, as in http://svc@proxy.acme.com:3128")
	}
	return proxy, password
}

// credential reads the one credential that there must be, unless the org is not polled. What
// is sealed is not opened here, so it is not known which one it is.
func (d *draft) credential(i *pipeline.Integration) {
	const field = "credentials.api_token"
	held, readable := d.at("credentials").(map[string]any)
	has := func(names ...string) (n int) {
		for _, name := range names {
			if held[name] != nil {
				n++
			}
		}
		return n
	}
	tokens, apps := has("api_token", "api_token_file", "api_token_env"), has("client_id", "key_id", "private_key", "private_key_file")
	switch {
	case has("sealed") > 0:
		i.Sealed = "this process has not opened it"
	case has("api_token_next") > 0 && has("api_token") == 0:
		d.complain("credentials.api_token_next", "is not beside an api_token", "write the token as api_token; a changed file or service app needs no next one")
	case tokens > 1:
		d.complain("credentials", "holds more than one of api_token, api_token_file and api_token_env", "leave all but one out")
	case tokens > 0 && apps > 0:
		d.complain("credentials", "holds both an API token and a service app", "leave out the token, or client_id, key_id and the private key")
	case tokens > 0:
		i.Token, i.TokenNext = d.token("credentials.api_token"), d.token("credentials.api_token_next")
		i.TokenFile, i.TokenEnv = d.text("credentials.api_token_file"), d.variable()
	case apps > 0:
		d.app(i)
	case i.Enabled && (readable || d.at("credentials") == nil):
		d.complain(field, "is missing", fieldAt(field).Advice)
	}
}

// tokenVariable matches the variables that an integration may name. Whoever writes
// integrations decides to which host the content is sent, so it must not be any variable
// of the service, such as a password of NATS.
var tokenVariable = regexp.MustCompile(`^OKTA_[A-Z0-9_]*TOKEN[A-Z0-9_]*$`)

// variable returns the name of the variable that holds the token. Those of the
// environment's own org are none.
func (d *draft) variable() string {
	const field = "credentials.api_token_env"
	name := strings.TrimSpace(d.text(field))
	if name != "" && (!tokenVariable.MatchString(name) || name == "OKTA_API_TOKEN" || name == "OKTA_API_TOKEN_FILE") {
		d.complain(field, fmt.Sprintf("is no variable that may be named: %.70q", name), fieldAt(field).Advice)
	}
	return name
}

func (d *draft) token(field string) pipeline.Secret {
	s, ok := d.at(field).(string)
	if !ok {
		return pipeline.Secret{}
	}
	token, err := cleanToken(s)
	if err != nil {
		d.complain(field, err.Error(), "")
	}
	return token
}

// app reads the credential of a service app. The key in a file is checked when it is read.
func (d *draft) app(i *pipeline.Integration) {
	const key, file = "credentials.private_key", "credentials.private_key_file"
	i.ClientID, i.KeyID = strings.TrimSpace(d.text("credentials.client_id")), strings.TrimSpace(d.text("credentials.key_id"))
	i.PrivateKey, i.PrivateKeyFile = pipeline.NewSecret(strings.TrimSpace(d.text(key))), d.text(file)
	if i.ClientID == "" {
		d.complain("credentials.client_id", "is missing", fieldAt("credentials.client_id").Advice)
	}
	switch {
	case d.at(key) != nil && i.PrivateKeyFile != "":
		d.complain("credentials", "holds both private_key and private_key_file", "leave one out")
	case !i.PrivateKey.IsZero():
		if err := (oauth.App{ClientID: i.ClientID, KeyID: i.KeyID, Key: i.PrivateKey}).Check(); err != nil {
			d.complain(key, err.Error(), "")
		}
	case i.PrivateKeyFile == "" && d.at(key) == nil && i.Enabled:
		d.complain(file, "is missing", fieldAt(file).Advice)
	}
}
