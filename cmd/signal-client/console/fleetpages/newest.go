package fleetpages

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
)

// eventShown is the newest event of an integration, as its page shows it.
type eventShown struct {
	Seq       uint64    `json:"seq"`
	Type      string    `json:"type"`
	Act       string    `json:"act"` // in words
	Actor     string    `json:"actor"`
	From      string    `json:"from"` // address and place
	Result    string    `json:"result"`
	Published time.Time `json:"published,omitzero"`
	Stored    time.Time `json:"stored"`
}

// newest answers with the newest event of an integration; null: there is none.
func (p *pages) newest(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(p.newestOf(r.Context(), r.PathValue("instance"))) // the reader is gone: nobody to tell
}

// newestOf returns nil if there is none, or if NATS does not answer at once: the page is
// of use without it, and its script asks again.
func (p *pages) newestOf(ctx context.Context, instance string) *eventShown {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	e, err := p.Newest(ctx, instance)
	if err != nil {
		if !errors.Is(err, jets.ErrNoMessage) {
			p.Log.Warn("console: the newest event can't be read", "instance", instance, "err", err)
		}
		return nil
	}
	return p.shown(e)
}

func (p *pages) shown(e *scan.Stored) *eventShown {
	story := p.Kind.Reading.Story(e.Data)
	s := &eventShown{
		Seq: e.Seq, Type: strings.TrimPrefix(e.Header.Get("ce-type"), p.Kind.TypePrefix), Stored: e.At,
		Act: story.Act, Actor: story.Actor, From: story.From, Result: story.Result,
	}
	s.Published, _ = e.Published()
	return s
}
