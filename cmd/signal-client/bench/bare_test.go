package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/okta"
)

// bareTask is what the bare publisher does.
type bareTask struct {
	NATS, Org string // URLs
	Instance  string
	Events    int // to publish
	Page      int // of them in a batch, with a position
}

// barePages is how many different pages it publishes, over and over: they are made
// beforehand, so that publishing is all that it does.
const barePages = 8

// bare publishes the batches that the service does, with the same headers and
// fences, and nothing else: it keeps no ids and no cursor and reads no page. The
// same pages are fetched beside it, and thrown away.
type bare struct {
	bareTask
	nats  *nats.Conn
	pages [][]*nats.Msg // events, and the position last
	fence [2]uint64     // sequences of the newest event and position
}

func publishBare(task []byte) error {
	b := &bare{}
	if err := json.Unmarshal(task, &b.bareTask); err != nil {
		return err
	}
	nc, err := nats.Connect(b.NATS)
	if err != nil {
		return err
	}
	defer nc.Close()
	b.nats = nc
	if err := b.prepare(); err != nil {
		return err
	}
	return b.run()
}

// prepare makes the messages of the first pages.
func (b *bare) prepare() error {
	next := b.first()
	for range barePages {
		body, link, err := fetch(next)
		if err != nil {
			return err
		}
		var events []json.RawMessage
		if err := json.Unmarshal(body, &events); err != nil {
			return err
		}
		page, err := b.messages(events)
		if err != nil {
			return err
		}
		b.pages, next = append(b.pages, page), link
	}
	return nil
}

func (b *bare) messages(events []json.RawMessage) ([]*nats.Msg, error) {
	var page []*nats.Msg
	var last pipeline.LastEvent
	for _, data := range events {
		var e struct{ UUID, Published, EventType string }
		if err := json.Unmarshal(data, &e); err != nil {
			return nil, err
		}
		last = pipeline.LastEvent{UUID: e.UUID, Published: e.Published}
		page = append(page, &nats.Msg{Subject: jets.SubjectEvents(okta.Kind.Name, b.Instance), Data: data, Header: nats.Header{
			"ce-specversion": {"1.0"}, "ce-id": {e.UUID}, "ce-source": {b.Org}, "ce-type": {"com.okta." + e.EventType},
			"ce-time": {e.Published}, "ce-datacontenttype": {"application/json"},
		}})
	}
	now := time.Now()
	position, err := json.Marshal(pipeline.Position{
		Version: 1, Link: pipeline.Link(strings.TrimPrefix(b.first(), b.Org)), Origin: b.Org, Query: okta.Query("", b.Page),
		CompleteThrough: now, PublishedMax: now, LastEvent: &last, Events: len(events), Why: pipeline.WhyPage, At: now,
	})
	return append(page, &nats.Msg{Subject: jets.SubjectPosition(okta.Kind.Name, b.Instance), Data: position, Header: nats.Header{}}), err
}

// run publishes all batches. As the service does, it asks for a page while one
// is published.
func (b *bare) run() error {
	fetches := make(chan struct{}, b.Events/b.Page+1)
	var wg sync.WaitGroup
	wg.Go(func() { b.throwAway(fetches) })
	defer wg.Wait()
	defer close(fetches)
	for i, left := 0, b.Events; left > 0; i, left = i+1, left-b.Page {
		fetches <- struct{}{}
		page := b.pages[i%barePages]
		if left < b.Page {
			page = append(page[:left:left], page[b.Page])
		}
		if err := b.publish(page); err != nil {
			return fmt.Errorf("batch %d: %w", i, err)
		}
	}
	return nil
}

// throwAway asks for the page after the newest whenever told, and reads it
// without looking.
func (b *bare) throwAway(fetches <-chan struct{}) {
	next := b.first()
	for range fetches {
		req, err := http.NewRequest(http.MethodGet, next, nil)
		if err != nil {
			return
		}
		req.Header.Set("Authorization", "SSWS bench")
		req.Header.Set("Accept-Encoding", "gzip") // and so it is not inflated
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		next = nextOf(resp)
	}
}

// publish publishes a batch as the service does: the acks of the first message
// and of the last are awaited.
func (b *bare) publish(page []*nats.Msg) error {
	id, last := []string{nuid.Next()}, len(page)-1
	for i, m := range page {
		m.Header["Nats-Batch-Id"] = id
		m.Header["Nats-Batch-Sequence"] = []string{strconv.Itoa(i + 1)}
	}
	page[last].Header["Nats-Batch-Commit"] = []string{"1"}
	expect(page[0], b.fence[0])
	expect(page[last], b.fence[1])
	if _, err := b.ask(page[0]); err != nil {
		return err
	}
	for _, m := range page[1:last] {
		if err := b.nats.PublishMsg(m); err != nil {
			return err
		}
	}
	seq, err := b.ask(page[last])
	b.fence = [2]uint64{seq - 1, seq}
	return err
}

func expect(m *nats.Msg, seq uint64) {
	m.Header["Nats-Expected-Last-Subject-Sequence"] = []string{strconv.FormatUint(seq, 10)}
}

func (b *bare) ask(m *nats.Msg) (uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	reply, err := b.nats.RequestMsgWithContext(ctx, m)
	if err != nil || len(reply.Data) == 0 {
		return 0, err
	}
	var ack struct {
		Error *struct{ Description string }
		Seq   uint64
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, err
	}
	if ack.Error != nil {
		return 0, fmt.Errorf("refused: %s", ack.Error.Description)
	}
	return ack.Seq, nil
}

// first is the request that begins the log.
func (b *bare) first() string {
	return b.Org + string(okta.Start("", b.Page, time.Now().Add(-drainSince)))
}

// fetch reads a page, inflated, and the link after it.
func fetch(url string) ([]byte, string, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Authorization", "SSWS bench")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return body, nextOf(resp), err
}

// nextOf is the next link of an answer.
func nextOf(resp *http.Response) string {
	for _, value := range resp.Header.Values("Link") {
		for link := range strings.SplitSeq(value, ", ") {
			if url, ok := strings.CutSuffix(link, `>; rel="next"`); ok {
				return strings.TrimPrefix(url, "<")
			}
		}
	}
	return resp.Request.URL.String()
}
