package jets

import (
	"context"
	"maps"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
)

// Integrations reads the instances to poll from the bucket INTEGRATIONS.
type Integrations struct {
	Store *Store
}

var _ pipeline.Integrations = (*Integrations)(nil)

// Watch implements pipeline.Integrations. While NATS is away, what stood last
// stands. A bucket that was deleted is made anew, empty: then no instance does.
func (i *Integrations) Watch(ctx context.Context, changed func(map[string]pipeline.Entry)) error {
	var entries map[string]pipeline.Entry
	return i.Store.follow(ctx, BucketIntegrations, ">", view{
		fresh: func() { entries = map[string]pipeline.Entry{} },
		entry: func(e kvEntry) {
			// Other kinds of integration may share the bucket; a key such as
			// okta.Acme.2 is one of ours, written badly.
			instance, ours := strings.CutPrefix(e.key, keyPrefix)
			switch {
			case !ours:
			case e.gone:
				delete(entries, instance)
			default:
				entries[instance] = parse(instance, e.value)
			}
		},
		settled: func() { changed(maps.Clone(entries)) },
		ended:   func() {},
	})
}

// All reads the integrations once.
func (i *Integrations) All(ctx context.Context) (map[string]pipeline.Entry, error) {
	entries := map[string]pipeline.Entry{}
	err := i.Store.Conn.each(ctx, BucketIntegrations, ">", false, func(e kvEntry) {
		if instance, ours := strings.CutPrefix(e.key, keyPrefix); ours && !e.gone {
			entries[instance] = parse(instance, e.value)
		}
	})
	return entries, err
}

func parse(instance string, value []byte) pipeline.Entry {
	integration, err := pipeline.ParseIntegration(instance, value)
	return pipeline.Entry{Integration: integration, Err: err}
}
