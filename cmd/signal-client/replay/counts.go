package replay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/scan"
)

// counted is the count of one instance's events, or of all.
type counted struct {
	Instance string    `json:"instance,omitempty"` // empty: all
	Events   uint64    `json:"events"`
	Bytes    uint64    `json:"bytes"`
	First    time.Time `json:"first,omitzero"` // time of the earliest
	Last     time.Time `json:"last,omitzero"`  // time of the latest
}

func (c *counted) add(size int, at time.Time) {
	c.Events++
	c.Bytes += uint64(size)
	c.First = pipeline.Earlier(cmp.Or(c.First, at), at)
	c.Last = pipeline.Later(c.Last, at)
}

type counts struct {
	total counted
	each  map[string]*counted
}

func newCounts() *counts { return &counts{each: map[string]*counted{}} }

// Add counts an event.
func (c *counts) Add(e *scan.Stored, at time.Time) {
	at = at.UTC()
	of := c.each[e.Instance]
	if of == nil {
		of = &counted{Instance: e.Instance}
		c.each[e.Instance] = of
	}
	of.add(len(e.Data), at)
	c.total.add(len(e.Data), at)
}

// Each returns the counts by instance.
func (c *counts) Each() []counted {
	list := []counted{} // [] rather than null
	for _, instance := range slices.Sorted(maps.Keys(c.each)) {
		list = append(list, *c.each[instance])
	}
	return list
}

// Print prints the counts, the total last.
func (c *counts) Print(to term.Screen) error {
	g := term.Grid{Title: "Would be replayed", Header: []string{"instance", "events", "bytes", "first", "last"}}
	total := c.total
	total.Instance = "total"
	for _, one := range append(c.Each(), total) {
		row := []any{one.Instance, fmt.Sprint(one.Events), fmt.Sprint(one.Bytes), one.First, one.Last}
		if to.Terminal {
			row[1], row[2] = term.Number(one.Events), humanize.IBytes(one.Bytes)
		}
		g.Rows = append(g.Rows, row)
	}
	return g.Print(to)
}
