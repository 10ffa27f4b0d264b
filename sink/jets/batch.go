package jets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/witfoo/signal-client/pipeline"
)

// MaxBatch is the default number of messages that a server accepts in one atomic batch.
const MaxBatch = 1000

// openBatches is how many atomic batches one process keeps open. The server commits one
// at a time per stream: more would only wait in its memory, and beyond 50 they are
// refused (measured with 100 pollers, nats-server 2.15.2: 8 open batches took 7.1 s
// without a refusal, unbounded 7.5 to 18 s with hundreds).
const openBatches = 8

// AckTimeout bounds the wait for one ack. A cluster replaces a lost leader in 4 to 9 s.
const AckTimeout = 10 * time.Second

// ErrTooLarge: the server can't accept that much in one batch.
var ErrTooLarge = errors.New("batch too large for the server")

// errDisabled: the stream no longer allows atomic batches.
var errDisabled = errors.New("stream without allow_atomic")

// ErrMessageSize: the stream accepts smaller messages than before.
var ErrMessageSize = errors.New("message larger than the stream takes")

// Error codes of the JetStream API. Source: nats-server 2.15.2, server/errors.json.
const (
	CodeAccountFull     = 10002
	CodeNoResources     = 10023 // the server's storage limit is reached
	CodeNoStorage       = 10047
	CodeMessageSize     = 10054 // above max_msg_size
	CodeWrongLast       = 10071 // the fence
	CodeStoreFailed     = 10077 // no room for the message or its subject in a stream that discards new messages
	CodeSealed          = 10109
	codeTooManyStreams  = 10027
	codeBytesRequired   = 10113
	codeNoTier          = 10120
	codeStreamTooLarge  = 10122
	codeWrongLastInTalk = 10164 // the fence, or another message on that subject is in flight
	codeTooManyRequests = 10167
	codeAtomicDisabled  = 10174
	codeIncomplete      = 10176 // the server dropped part of the batch
	codeBatchTooLarge   = 10199
	codeTooManyInflight = 10210
)

// APIError is an error of the JetStream API.
type APIError struct {
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *APIError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.ErrCode) }

// Is matches an error code with the sentinel error for it.
func (e *APIError) Is(target error) bool {
	switch e.ErrCode {
	case CodeWrongLast, codeWrongLastInTalk:
		return target == pipeline.ErrFenced
	case codeBatchTooLarge:
		return target == ErrTooLarge
	case codeAtomicDisabled:
		return target == errDisabled
	case CodeMessageSize:
		return target == ErrMessageSize
	}
	return false
}

// busy reports whether the server refused only for the moment. The same batch may be sent
// again with the same fences, which make a repeat harmless.
func (e *APIError) busy() bool {
	switch e.ErrCode {
	case codeTooManyInflight, codeTooManyRequests, codeIncomplete, codeWrongLastInTalk:
		return true
	}
	return false
}

// Limiting reports whether a batch was too large because of the server's configuration,
// not because the server is overloaded.
func Limiting(err error) bool {
	refusal, ok := errors.AsType[*APIError](err)
	return ok && refusal.ErrCode == codeBatchTooLarge
}

// publisher publishes messages atomically.
type publisher struct {
	conn *Conn
	Gate pipeline.Gate // of open batches
}

func newPublisher(conn *Conn) *publisher {
	return &publisher{conn: conn, Gate: pipeline.Gate{Capacity: openBatches}}
}

// ack is the result of a publish.
type ack struct {
	Seq       uint64 `json:"seq"`       // of the last message; 0: not in the answer
	Duplicate bool   `json:"duplicate"` // the message was already stored
}

// Messages are the messages of one atomic batch, made while they are sent. at returns the
// message at an index; it is valid until the next call, because sending copies it.
type Messages struct {
	Len    int
	At     func(i int) *nats.Msg
	Drains bool // other batches may go first: more pages follow, or it is of the past
}

// Publish stores the messages atomically, as publishEach does.
func (p *publisher) Publish(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	return p.PublishEach(ctx, Messages{Len: len(msgs), At: func(i int) *nats.Msg { return msgs[i] }})
}

// PublishEach stores the messages atomically and returns the sequence of the last. After
// an error that matches pipeline.ErrFenced or errTooLarge nothing is stored; after any
// other error the outcome is unknown.
func (p *publisher) PublishEach(ctx context.Context, msgs Messages) (uint64, error) {
	ack, err := p.repeat(ctx, msgs)
	return ack.Seq, err
}

// One publishes a single message.
func (p *publisher) One(ctx context.Context, m *nats.Msg) (ack, error) {
	return p.repeat(ctx, Messages{Len: 1, At: func(int) *nats.Msg { return m }})
}

// repeat sends the messages until the server is no longer busy.
func (p *publisher) repeat(ctx context.Context, msgs Messages) (ack, error) {
	backoff := pipeline.Backoff{Min: 20 * time.Millisecond, Max: 2 * time.Second}
	for try := 1; ; try++ {
		got, err := p.once(ctx, msgs)
		refusal, refused := errors.AsType[*APIError](err)
		if !refused || !refusal.busy() {
			return got, err
		}
		if try == 8 {
			return ack{}, exhausted(refusal, msgs.Len)
		}
		if err := pipeline.Sleep(ctx, backoff.Next()); err != nil {
			return ack{}, err
		}
	}
}

// exhausted returns the meaning of a refusal that persists: a batch that is dropped in
// part every time is larger than the server's queue.
func exhausted(refusal *APIError, size int) error {
	dropped := refusal.ErrCode == codeIncomplete || refusal.ErrCode == codeTooManyRequests
	if dropped && size > 2 {
		return fmt.Errorf("%w: %w", ErrTooLarge, refusal)
	}
	return refusal
}

// once sends the messages once.
func (p *publisher) once(ctx context.Context, msgs Messages) (ack, error) {
	ctx, cancel := p.conn.Epoch(ctx) // an ack can't outlive the connection
	defer cancel()
	if msgs.Len == 1 {
		return p.ask(ctx, msgs.At(0))
	}
	slot, err := p.Gate.Take(ctx, 1, msgs.Drains)
	if err != nil {
		return ack{}, err
	}
	defer slot.Release()
	return p.batch(ctx, msgs)
}

// batch sends an atomic batch. It awaits the first message's ack, which reserves the
// batch, so that a batch that the server refuses is not sent. The server judges the
// fences at the commit, which the last message requests.
//
// A restart finds nothing if the commit was not sent, because the server drops the batch;
// or everything, because the server finishes a commit that it began. Source: measured
// with SIGKILL at random moments, nats-server 2.15.2.
func (p *publisher) batch(ctx context.Context, msgs Messages) (ack, error) {
	id, number, last := []string{nuid.Next()}, []string{""}, msgs.Len-1
	message := func(i int) *nats.Msg {
		m := msgs.At(i)
		number[0] = strconv.Itoa(i + 1)
		m.Header[headerBatchID], m.Header[headerBatchSequence] = id, number
		return m
	}
	if _, err := p.ask(ctx, message(0)); err != nil {
		return ack{}, err
	}
	for i := 1; i < last; i++ {
		if err := p.conn.NATS.PublishMsg(message(i)); err != nil {
			return ack{}, err
		}
	}
	if ctx.Err() != nil {
		return ack{}, context.Cause(ctx) // no commit over another connection
	}
	commit := message(last)
	commit.Header[headerBatchCommit] = []string{"1"}
	return p.ask(ctx, commit)
}

// ask publishes a message and reads its ack; sequence 0: an empty one, of a batch's first.
func (p *publisher) ask(ctx context.Context, m *nats.Msg) (ack, error) {
	ctx, cancel := context.WithTimeout(ctx, AckTimeout)
	defer cancel()
	reply, err := p.conn.NATS.RequestMsgWithContext(ctx, m)
	if err != nil {
		return ack{}, p.conn.refused(m.Subject, Cause(ctx, err))
	}
	if len(reply.Data) == 0 {
		return ack{}, nil
	}
	var answer struct {
		ack
		Stream string    `json:"stream"`
		Domain string    `json:"domain"`
		Error  *APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return ack{}, fmt.Errorf("read ack: %w", err)
	}
	if answer.Error != nil {
		return ack{}, answer.Error // even if it comes from another stream: a sync resolves the doubt
	}
	if err := p.conn.Own(m.Subject, answer.Stream, answer.Domain); err != nil {
		return ack{}, err
	}
	return answer.ack, nil
}

// Expect sets the fence: the server stores the message only if seq is the last sequence
// of its subject; 0: if the subject has none.
func Expect(m *nats.Msg, seq uint64) {
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	m.Header[headerFence] = []string{strconv.FormatUint(seq, 10)}
}

// Expected returns the sequence that a stored message expected, and whether it expected one.
func Expected(h nats.Header) (uint64, bool) {
	v := h[headerFence]
	if len(v) == 0 {
		return 0, false
	}
	seq, err := strconv.ParseUint(v[0], 10, 64)
	return seq, err == nil
}
