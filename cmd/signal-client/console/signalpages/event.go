package signalpages

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
)

// eventPage is the data of the template "event".
type eventPage struct {
	Seq       uint64
	Instance  string
	Subject   string
	Type      string
	ID        string
	Origin    string // live, backfill or repair
	Published time.Time
	Stored    time.Time
	Story     pipeline.Story
	Related   []related
	Headers   []header
	Tree      *node // nil: the bytes are no JSON
	Flaw      string
	Size      int
	Text      []piece
	Cut       bool // Text is not all
	Position  *position
	Next      uint64 // the instance's next event; 0: none
}

// header is one value of a message's header.
type header struct{ Name, Value string }

// related is a search for what an event shares with others.
type related struct{ Name, Value, URL string }

// position is a position message.
type position struct {
	Seq             uint64
	Stored          time.Time
	Instance        string
	Why             string    `json:"why"`
	CompleteThrough time.Time `json:"complete_through"`
	Events          int       `json:"events"`
}

// event shows the event at a sequence.
func (p *pages) event(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		p.missing(w, r)
		return
	}
	e, err := scan.At(r.Context(), p.Store.Conn, p.Store.Kinds, seq)
	if absent, ok := errors.AsType[*scan.AbsentError](err); ok {
		p.absent(w, r, absent)
		return
	}
	if err != nil {
		p.unavailable(w, r, err)
		return
	}
	p.Render(w, r, http.StatusOK, "signals/event", p.describe(r.Context(), e))
}

// describe gathers what the page of an event shows. What NATS does not answer in time is
// left out.
func (p *pages) describe(ctx context.Context, e *scan.Stored) eventPage {
	published, dated := e.Published()
	if !dated {
		published = e.At
	}
	page := eventPage{
		Seq: e.Seq, Instance: e.Instance, Subject: jets.SubjectEvents(e.Kind.Name, e.Instance), Type: e.Type(), ID: e.ID(),
		Origin: "live", Published: published, Stored: e.At, Headers: headersOf(e), Size: len(e.Data),
	}
	if origin := jets.First(e.Header, jets.HeaderOrigin); origin != "" {
		page.Origin = origin
	}
	if story := e.Kind.Reading.Story; story != nil {
		page.Story = story(e.Data)
	}
	page.Related = relatedTo(e, published)
	page.Text, page.Cut = pieces(e.Data)
	tree, err := parseTree(e.Data, published)
	if err != nil {
		page.Flaw = err.Error()
	}
	page.Tree = tree
	page.Position, page.Next = p.around(ctx, e)
	return page
}

// around reads the position that follows an event, and the instance's next event.
func (p *pages) around(ctx context.Context, e *scan.Stored) (*position, uint64) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	after := func(subject string) *jets.RawMsg {
		m, err := p.Store.Conn.Read(ctx, jets.StreamSignals, map[string]any{"seq": e.Seq + 1, "next_by_subj": subject})
		if err != nil {
			return nil
		}
		return m
	}
	next := uint64(0)
	if m := after(jets.SubjectEvents(e.Kind.Name, e.Instance)); m != nil {
		next = m.Seq
	}
	m := after(jets.SubjectPosition(e.Kind.Name, e.Instance))
	if m == nil {
		return nil, next
	}
	return positionOf(e.Kind.Name, m), next
}

func positionOf(kind string, m *jets.RawMsg) *position {
	at := &position{}
	_ = json.Unmarshal(m.Data, at) // one that can't be read has a sequence all the same
	at.Seq, at.Stored, at.Instance = m.Seq, m.Time, strings.TrimPrefix(m.Subject, jets.SubjectPosition(kind, ""))
	return at
}

func headersOf(e *scan.Stored) []header {
	var all []header
	for name, values := range e.Header {
		for _, v := range values {
			all = append(all, header{name, v})
		}
	}
	slices.SortFunc(all, func(a, b header) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// aroundTime is how far before and after an event related ones are searched.
const aroundTime = time.Hour

// relatedTo returns the searches for events that share something with e.
func relatedTo(e *scan.Stored, at time.Time) []related {
	if e.Kind.Reading.Relations == nil {
		return nil
	}
	var all []related
	for _, r := range e.Kind.Reading.Relations(e.Data) {
		all = append(all, related{"Same " + r.Name, r.Value, searchURL(exactly(r.Field, r.Value), at)})
	}
	return append(all, related{"Within an hour", e.Instance, searchURL(exactly("instance", e.Instance), at)})
}

// searchURL returns the search page's URL for a query around a time.
func searchURL(query string, at time.Time) string {
	return "/signals/search?" + url.Values{
		"q":    {query},
		"from": {at.Add(-aroundTime).UTC().Format(time.RFC3339)},
		"to":   {at.Add(aroundTime + time.Second).UTC().Format(time.RFC3339)},
	}.Encode()
}

// absentPage is the data of the template "absent".
type absentPage struct {
	Seq         string // as in the URL
	Title       string
	Explanation string
	First, Last uint64 // of the stream; 0: not known
	Position    *position
	Subject     string // of the message that is no event
}

// absent says why no event stands at a sequence.
func (p *pages) absent(w http.ResponseWriter, r *http.Request, why *scan.AbsentError) {
	page := absentPage{Seq: strconv.FormatUint(why.Seq, 10), First: why.First, Last: why.Last}
	switch why.Why {
	case scan.NotYet:
		page.Title, page.Explanation = "Not stored yet", "The stream has not come to this sequence. If a link brought you here, the stream may have been made anew or restored from an older backup since."
	case scan.AgedOut:
		page.Title, page.Explanation = "No longer kept", "The stream has dropped this event: it keeps events for a time and up to a size, or somebody has purged it. The search index may still find it for a while."
	case scan.Removed:
		page.Title, page.Explanation = "Deleted", "The stream holds messages before and after this sequence, but none here: somebody has deleted or purged it."
	case scan.NoEvent:
		page.Title, page.Explanation = "Not an event", "The message at this sequence is no event of a source that this program knows."
		page.Subject = why.Message.Subject
		for _, kind := range p.Store.Kinds {
			if strings.HasPrefix(page.Subject, jets.SubjectPosition(kind.Name, "")) {
				page.Title, page.Explanation = "A position", "After each page of events the poller stores how far it has come. This is such a message, not an event."
				page.Position = positionOf(kind.Name, why.Message)
			}
		}
	}
	p.Render(w, r, http.StatusNotFound, "signals/absent", page)
}

// missing answers a URL that names nothing.
func (p *pages) missing(w http.ResponseWriter, r *http.Request) {
	p.Render(w, r, http.StatusNotFound, "signals/absent", absentPage{
		Seq: r.PathValue("seq"), Title: "No such page", Explanation: "An event's address ends in its sequence in the stream SIGNALS: a whole number, such as /signals/events/1000042.",
	})
}

func (p *pages) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Retry-After", "5")
	p.Render(w, r, http.StatusServiceUnavailable, "error", access.Refusal{
		Status: http.StatusServiceUnavailable, Title: "The stream can't be read", Cause: err.Error(),
		Remedy: "Reload the page in a moment. If it lasts, run signal-client doctor.",
	})
}
