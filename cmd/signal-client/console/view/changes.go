package view

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// Change is what a follower has not received yet.
type Change struct {
	ID      string        // to follow from here on after a break
	Fleet   *Fleet        // the picture now
	Whole   bool          // Changed holds all integrations: any other is gone
	Changed []Integration // in the order of Fleet
	Gone    []string      // instances that were removed
}

// Changes yields changes at most once a second until ctx ends. after is the ID of the last
// change that the follower received; empty, or of another process: the first change is
// whole. A slow follower loses intermediate states, and blocks nobody.
func (v *View) Changes(ctx context.Context, after string) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		seen, known := v.known(after)
		for {
			c, newer, news := v.since(seen, known)
			if newer || !known {
				if !yield(c) {
					return
				}
				seen, known = c.Fleet.id, true
			}
			select {
			case <-ctx.Done():
				return
			case <-news:
			}
			select { // what comes in a burst is told at once
			case <-ctx.Done():
				return
			case <-time.After(lookEvery / 10):
			}
		}
	}
}

// known returns the picture that an ID names; false: it is none of this View.
func (v *View) known(id string) (uint64, bool) {
	epoch, number, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	return n, err == nil && epoch == v.epoch && n <= v.Fleet().id
}

// since returns the change since a picture, whether there is any, and what is closed when
// there is a newer one.
func (v *View) since(seen uint64, known bool) (c Change, newer bool, news <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.fleet
	known = known && seen >= v.floor
	c = Change{ID: fmt.Sprintf("%s-%d", v.epoch, f.id), Fleet: f, Whole: !known}
	if !known {
		c.Changed = f.Integrations
		return c, f.Complete, v.news
	}
	for _, i := range f.Integrations {
		if i.changed > seen {
			c.Changed = append(c.Changed, i)
		}
	}
	c.Gone = v.gone(seen)
	return c, f.id > seen, v.news
}
