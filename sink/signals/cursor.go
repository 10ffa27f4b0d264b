package signals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Cursor is an instance's value in CURSORS: its newest position, with that one's sequence.
type Cursor struct {
	pipeline.Position

	Next          pipeline.Link // the position's link
	StreamSeq     uint64        // sequence of the position's message in SIGNALS
	StreamCreated time.Time     // creation time of SIGNALS: another one means another stream
	UpdatedAt     time.Time
}

// cursorMembers are the members of a Cursor besides its position's.
type cursorMembers struct {
	Next          pipeline.Link `json:"next"`
	StreamSeq     uint64        `json:"stream_seq"`
	StreamCreated time.Time     `json:"stream_created"`
	UpdatedAt     time.Time     `json:"updated_at"`
}

// MarshalJSON writes the position's members and the cursor's own as one object.
func (c Cursor) MarshalJSON() ([]byte, error) {
	position, err := c.Position.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var own bytes.Buffer
	e := json.NewEncoder(&own)
	e.SetEscapeHTML(false) // links unescaped
	if err := e.Encode(cursorMembers{c.Next, c.StreamSeq, c.StreamCreated, c.UpdatedAt}); err != nil {
		return nil, err
	}
	position[len(position)-1] = ','
	return append(position, bytes.TrimSuffix(own.Bytes()[1:], []byte("\n"))...), nil
}

// UnmarshalJSON reads a cursor. Its errors are those of a position.
func (c *Cursor) UnmarshalJSON(data []byte) error {
	var own cursorMembers
	if err := json.Unmarshal(data, &own); err != nil {
		return err
	}
	if err := c.Position.UnmarshalJSON(data); err != nil {
		return err
	}
	for _, name := range []string{"next", "stream_seq", "stream_created", "updated_at"} {
		delete(c.Extra, name)
	}
	if own.Next != "" {
		c.Link = own.Next
	}
	c.Next, c.StreamSeq, c.StreamCreated, c.UpdatedAt = c.Link, own.StreamSeq, own.StreamCreated, own.UpdatedAt
	return nil
}

// idleCursor is how often an idle instance's cursor is written.
const idleCursor = 15 * time.Second

// cursor writes one instance's value in CURSORS.
type cursor struct {
	revision uint64                 // of the stored value; 0: none
	written  time.Time              // when the newest write began
	through  time.Time              // its watermark
	pending  jetstream.PubAckFuture // the newest write, until its ack is read; nil: none
}

// follow writes CURSORS after a commit. moved: the position has changed; if not, at most
// its watermark has, and an occasional write is enough.
//
// The ack is read after the next page, or at the next idle poll: so CURSORS is at most
// one page behind the stream and delays no page. A restart before the write finds the
// position in the stream, which is the truth. An idle poll has time and waits for the
// ack: it writes nothing else, so a refusal here is how it notices that an operator moved
// the position.
func (s *Sink) follow(ctx context.Context, moved bool) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	idle := s.at.CompleteThrough.Equal(s.cursor.through) || time.Since(s.cursor.written) < idleCursor
	if !moved && idle {
		return nil
	}
	data, err := Cursor{Position: s.at, Next: s.at.Link, StreamSeq: s.at.Seq, StreamCreated: s.stream.Created, UpdatedAt: time.Now().UTC()}.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode cursor: %w", err)
	}
	m := &nats.Msg{Subject: s.store.Conn.PutSubject(jets.BucketCursors, jets.Key(s.store.Kind.Name, s.instance)), Data: data}
	jets.Expect(m, s.cursor.revision)
	s.cursor.written, s.cursor.through = time.Now(), s.at.CompleteThrough
	s.cursor.pending, err = s.store.Conn.JS.PublishMsgAsync(m)
	if err != nil {
		return fmt.Errorf("write cursor: %w", err)
	}
	if !moved {
		return s.settle(ctx)
	}
	return nil
}

// settle reads the ack of the pending write. A refusal means that somebody else wrote
// CURSORS. The stream decides: settle returns ErrFenced if the position is no longer the
// newest; if it is, CURSORS is rewritten at once.
func (s *Sink) settle(ctx context.Context) error {
	if s.cursor.pending == nil {
		return nil
	}
	pending := s.cursor.pending
	s.cursor.pending = nil
	ctx, cancel := context.WithTimeout(ctx, jets.AckTimeout)
	defer cancel()
	ctx, done := s.store.Conn.Epoch(ctx)
	defer done()
	select {
	case ack := <-pending.Ok():
		if err := s.store.Conn.Own(pending.Msg().Subject, ack.Stream, ack.Domain); err != nil {
			return fmt.Errorf("write cursor: %w", err)
		}
		s.cursor.revision = ack.Sequence
		return nil
	case err := <-pending.Err():
		said := "cursor could not be written"
		if refusal, ok := errors.AsType[*jetstream.APIError](err); ok && refusal.ErrorCode == jets.CodeWrongLast {
			said = "cursor was written by someone else"
		}
		s.log.Warn(said, "err", err)
		expected := s.cursor.revision
		if _, err := s.readCursor(ctx); err != nil {
			return err
		}
		if s.cursor.revision != expected {
			s.cursor.written = time.Time{}
		}
		return s.stillNewest(ctx)
	case <-ctx.Done():
		return fmt.Errorf("write cursor: %w", context.Cause(ctx))
	}
}

// stillNewest returns ErrFenced unless s.at is the newest position.
func (s *Sink) stillNewest(ctx context.Context) error {
	m, err := s.store.Conn.Last(ctx, jets.StreamSignals, jets.SubjectPosition(s.store.Kind.Name, s.instance))
	if err != nil && !errors.Is(err, jets.ErrNoMessage) {
		return err
	}
	if err != nil || m.Seq != s.at.Seq {
		return fmt.Errorf("cursor of %s: %w", s.instance, pipeline.ErrFenced)
	}
	return nil
}

// readCursor reads CURSORS from its leader and records the revision. It returns nil if
// there is no value, or none that can be read.
func (s *Sink) readCursor(ctx context.Context) (*Cursor, error) {
	m, err := s.store.Conn.Value(ctx, jets.BucketCursors, jets.Key(s.store.Kind.Name, s.instance))
	if err != nil {
		return nil, err
	}
	s.cursor.revision = m.Seq // a delete marker's, too: it is the subject's last sequence
	if len(m.Data) == 0 {
		return nil, nil
	}
	c := new(Cursor)
	if err := json.Unmarshal(m.Data, c); err != nil {
		if errors.Is(err, pipeline.ErrNewer) {
			return nil, fmt.Errorf("cursor of %s: %w", s.instance, err)
		}
		s.log.Error("cursor can't be read and is ignored", "revision", strconv.FormatUint(m.Seq, 10), "err", err)
		return nil, nil
	}
	return c, nil
}
