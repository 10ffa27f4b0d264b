package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/witfoo/signal-client/pipeline"
)

// unseen counts the day's stored events that the org did not show.
func (h *comparison) unseen(ctx context.Context, stored map[print]knownEvent) error {
	var only []storedAt
	for _, k := range stored {
		switch {
		case k.undated:
			h.undated[k.seq] = h.undated[k.seq] || k.shown
		case k.shown:
		case k.young:
			h.report.Young++
		default:
			only = append(only, storedAt{seq: k.seq})
		}
	}
	return h.only(ctx, only)
}

// undatedOnly counts the stored events without a time that no day showed.
func (h *comparison) undatedOnly(ctx context.Context) error {
	var only []storedAt
	for seq, accounted := range h.undated {
		if !accounted {
			only = append(only, storedAt{seq: seq})
		}
	}
	return h.only(ctx, only)
}

// only counts events that are stored but not shown.
func (h *comparison) only(ctx context.Context, only []storedAt) (err error) {
	slices.SortFunc(only, func(a, b storedAt) int { return cmp.Compare(a.seq, b.seq) })
	h.report.HereOnly += len(only)
	h.report.HereOnlyFirst, err = h.find(ctx, h.report.HereOnlyFirst, only)
	return err
}

// find adds the first of some stored events to a list of findings.
func (h *comparison) find(ctx context.Context, found []Finding, stored []storedAt) ([]Finding, error) {
	for _, at := range stored {
		if len(found) == firstFindings {
			break
		}
		e, err := h.Ledger.Event(ctx, at.seq)
		if err != nil {
			return found, fmt.Errorf("read event %d: %w", at.seq, err)
		}
		found = append(found, Finding{e.UUID, e.Time, e.Type, at.seq, at.first})
	}
	return found, nil
}

// settle decides about the events that were not found stored: by now they are stored, or
// they wait for the live poll, or they are missing. Invariant: the live link is read
// after the org showed the events, and the ledger after that. So the live poll has passed
// whatever is not waiting on the live link, and that is in the ledger if it was stored at
// all.
func (h *comparison) settle(ctx context.Context) error {
	if err := h.await(ctx); err != nil {
		return err
	}
	for _, d := range h.days {
		through, err := h.Ledger.Stored(ctx, d.from, d.until, d.through, func(e StoredEvent) {
			if d.drop(h.printOf(e.UUID)) {
				h.report.Both++
			}
		})
		if err != nil {
			return fmt.Errorf("read what is stored: %w", err)
		}
		d.through = through
		for _, p := range d.order {
			e, missing := d.absent[p]
			if !missing {
				continue
			}
			h.report.Missing++
			if len(h.report.MissingFirst) < firstFindings {
				h.report.MissingFirst = append(h.report.MissingFirst, Finding{UUID: e.UUID, Published: e.Time, Type: e.Type})
			}
		}
	}
	return nil
}

// drop removes an event from the absent ones and reports whether it was there.
func (d *day) drop(p print) bool {
	_, was := d.absent[p]
	delete(d.absent, p)
	return was
}

// await follows the live link until a page proves that everything the org had persisted
// before has been served, and marks the events that it sees as waiting. On an org that
// always has something new only a later event can prove it, so it pauses between pages.
func (h *comparison) await(ctx context.Context) error {
	link, err := h.Ledger.Link(ctx)
	if err != nil {
		return err
	}
	log := pipeline.NewHead(new(pipeline.Clock), 0)
	for following, waited := 0, 0; following < headPages && waited < headWaits; {
		asked := log.Ask()
		page, err := h.poll(ctx, link)
		if err != nil {
			return err
		}
		log.Learn(asked, &page)
		h.waits(page)
		page.Memory.Release()
		switch {
		case page.CaughtUp:
			return nil
		case page.More, len(page.Events) == 0:
			following++
		default:
			waited++
			if err := pipeline.Sleep(ctx, headPause); err != nil {
				return err
			}
		}
		link = page.Next
	}
	return ErrBehind
}

func (h *comparison) waits(page pipeline.Page) {
	for _, e := range page.Events {
		for _, d := range h.days {
			if d.drop(h.printOf(e.UUID)) {
				h.report.Waiting++
			}
		}
	}
}

// repair stores the missing events, day by day, in order of publication. Insert skips
// those that somebody else has stored meanwhile.
func (h *comparison) repair(ctx context.Context) error {
	for _, d := range h.days {
		past := pipeline.Past{Why: pipeline.WhyRepair, From: d.from, Until: d.until}
		for _, p := range d.order {
			if e, missing := d.absent[p]; missing {
				past.Events = append(past.Events, e)
			}
		}
		slices.SortStableFunc(past.Events, func(a, b pipeline.Event) int { return a.Published.Compare(b.Published) })
		r, err := h.Ledger.Insert(ctx, past)
		h.report.Repaired += r.Stored + r.Repeats
		if errors.Is(err, pipeline.ErrMakingUp) {
			return fmt.Errorf("repair: %w; repair again in a while", err)
		}
		if err != nil {
			return fmt.Errorf("repair: %w", err)
		}
	}
	return nil
}
