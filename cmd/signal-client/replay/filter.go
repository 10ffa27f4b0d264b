package replay

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/scan"
)

// filter selects the stored events to replay.
type filter struct {
	instances, types, ips []string
	actors, outcomes      cli.NameList
	since, until          cli.TimeFlag

	from, before time.Time // zero: open
	networks     []netip.Prefix
}

// prepare parses the filters and returns all problems.
func (p *filter) prepare(now time.Time) []error {
	var k problem.Checks
	if !p.since.IsZero() {
		p.from = p.since.At(now)
	}
	if !p.until.IsZero() {
		p.before = p.until.At(now)
	}
	patterns := []struct {
		flag string
		list []string
	}{{"instance", p.instances}, {"type", p.types}}
	for _, f := range patterns {
		for _, pattern := range f.list {
			_, err := path.Match(pattern, "")
			k.Add(err != nil, fmt.Sprintf("--%s=%s", f.flag, pattern), "it is not a valid pattern", "write \\ before a literal [")
			k.Add(pattern == "", fmt.Sprintf("--%s=%s", f.flag, strings.Join(f.list, ",")), "one of the names is empty", "remove the extra comma")
		}
	}
	k.Add(slices.Contains(p.actors, ""), "--actor="+p.actors.String(), "one of the names is empty", "remove the extra comma")
	k.Add(slices.Contains(p.outcomes, ""), "--outcome="+p.outcomes.String(), "one of the names is empty", "remove the extra comma")
	for _, text := range p.ips {
		network, err := network(text)
		k.Add(err != nil, "--ip="+text, "it is neither an address nor a network", "--ip=203.0.113.7, or --ip=203.0.113.0/24")
		p.networks = append(p.networks, network)
	}
	return k.Errs
}

func network(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		network, err := netip.ParsePrefix(text)
		if network.Addr().Is4In6() && network.Bits() >= 96 {
			network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
		}
		return network.Masked(), err
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	address = address.Unmap() // as takesIP does
	return address.Prefix(address.BitLen())
}

// Takes reports whether an event is selected. It reads the body only if the headers allow it.
func (p *filter) Takes(e *scan.Stored) bool {
	if len(p.types) > 0 && !cli.Matches(p.types, e.Type()) {
		return false
	}
	if !p.from.IsZero() || !p.before.IsZero() {
		at := happened(e)
		if at.Before(p.from) || !p.before.IsZero() && !at.Before(p.before) {
			return false
		}
	}
	return len(p.actors)+len(p.ips)+len(p.outcomes) == 0 || p.takesBody(e.Kind.Facets, e.Data)
}

// happened returns when an event happened; when it was stored, if it does not say.
func happened(e *scan.Stored) time.Time {
	if at, ok := e.Published(); ok {
		return at
	}
	return e.At
}

// takesBody checks one member of the body for each filter, by its exact name. A member of
// another type does not match; the rest of the body does not matter.
func (p *filter) takesBody(of pipeline.Facets, data []byte) bool {
	return (len(p.actors) == 0 || p.actors.AnyOf(of.Actor(data)...)) &&
		(len(p.networks) == 0 || p.takesIP(of.Address(data))) &&
		(len(p.outcomes) == 0 || p.outcomes.AnyOf(of.Outcome(data)))
}

func (p *filter) takesIP(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(address.Unmap()) })
}
