package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/signals"
)

const exportLong = `Print what a fleet needs to go on in another NATS: the integrations, each one's
newest position, and the backfills. For the case that NATS loses everything; it
takes no backup of the events (for those: nats stream backup, or a mirror).

Sealed credentials stay sealed: keep the file of keys elsewhere. Credentials that
are not sealed are left out, and named.

Run it as often as you can afford to read again: after a restore, polling goes on
from the exported positions, and Okta keeps its log for 90 days.

Examples:
  signal-client export > signal-client-$(date +%F).json
  signal-client export | jq '.positions[] | {key, through: .position.complete_through}'`

// NewExport makes the command export.
func NewExport(p *cli.Program) *cobra.Command {
	c := &cli.CommandContext{Program: p}
	return c.Connection(&cobra.Command{
		Use:   "export",
		Short: "Print the state of a fleet, to be restored elsewhere",
		Long:  exportLong,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, done, err := c.Connect(cmd)
			if err != nil {
				return err
			}
			defer done()
			d, open, err := export(cmd.Context(), store)
			if err != nil {
				return err
			}
			if len(open) > 0 {
				fmt.Fprintf(c.Err(), "The credentials of %s are left out, because they are not sealed: signal-client keys seal\n", strings.Join(open, ", "))
			}
			return term.WriteJSON(c.Out(), d)
		},
	})
}

// export reads the state. open are the integrations whose secrets are left out.
//
// The integrations are read before the positions, and each position at a moment of its own:
// an export is no snapshot, and needs none, because a restore continues each instance from
// its own position.
func export(ctx context.Context, store *jets.Store) (d Document, open []string, err error) {
	d = Document{Version: version, At: time.Now().UTC(), Program: build.Read().Version,
		Integrations: []integration{}, Positions: []position{}, Backfills: []job{}}
	// Without keys, sealed credentials stay as they are stored.
	written, err := (&buckets.Integrations{Store: store.With(pipeline.Secrets{})}).Written(ctx)
	if err != nil {
		return d, nil, err
	}
	for _, w := range written {
		v, err := orgs.ReadValue(w.Value)
		if err != nil {
			return d, nil, fmt.Errorf("read the integration %s: %w", w.Instance, err)
		}
		kept, left := shown(v)
		if left {
			open = append(open, w.Instance)
		}
		d.Integrations = append(d.Integrations, integration{keyOf(w), kept})
	}
	keys := map[string]bool{}
	err = store.Conn.Each(ctx, jets.BucketCursors, ">", true, func(e jets.KVEntry) { keys[e.Key] = !e.Gone })
	if err != nil {
		return d, nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		kind, instance := store.InstanceOf(key)
		if kind == nil || !keys[key] {
			continue
		}
		st, err := (&signals.Operator{Store: store.Of(kind), Instance: instance}).CursorState(ctx)
		p := st.Position
		switch {
		case errors.Is(err, signals.ErrPurged):
			p = st.Cursor.Position
		case errors.Is(err, signals.ErrNoPosition):
			continue
		case err != nil:
			return d, nil, err
		}
		data, err := p.MarshalJSON() // directly: its link stays unescaped
		if err != nil {
			return d, nil, err
		}
		d.Positions = append(d.Positions, position{key, p.Seq, data})
	}
	jobs, err := (&buckets.Backfills{Store: store}).All(ctx)
	for _, j := range jobs {
		if j.Err == nil {
			d.Backfills = append(d.Backfills, job{jets.Key(j.Kind.Name, j.Instance) + "." + j.ID, j.Job})
		}
	}
	return d, open, err
}

// keyOf returns the key of an integration, whose name is the key itself where two kinds
// have one name.
func keyOf(w buckets.Written) string {
	if strings.HasPrefix(w.Instance, w.Kind.Name+".") {
		return w.Instance
	}
	return jets.Key(w.Kind.Name, w.Instance)
}

// kindOf returns the kind of a key, of those that this program knows.
func kindOf(store *jets.Store, key string) (*pipeline.Kind, string, error) {
	kind, instance := store.InstanceOf(key)
	if kind == nil {
		name, _ := split(key)
		return nil, instance, fmt.Errorf("no kind of source is named %q", name)
	}
	return kind, instance, nil
}
