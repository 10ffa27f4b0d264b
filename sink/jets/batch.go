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

// MaxBatch is the number of messages that a server takes in one atomic batch
// unless it is configured otherwise.
const MaxBatch = 1000

// openBatches is how many atomic batches one process keeps open. The server
// commits one at a time per stream: more only wait in its memory, and past 50
// they are refused (measured with 100 pollers, nats-server 2.15.2: 8 open
// batches took 7.1 s without a refusal, unbounded 7.5 to 18 s with hundreds).
const openBatches = 8

// ackTimeout bounds the wait for one ack. A lost leader is replaced in 4 to 9 s.
const ackTimeout = 10 * time.Second

// errTooLarge: the server can't take so much in one batch.
var errTooLarge = errors.New("batch too large for the server")

// errDisabled: the stream does not allow atomic batches (any more).
var errDisabled = errors.New("stream without allow_atomic")

// errMessageSize: the stream takes less in one message than it did.
var errMessageSize = errors.New("message larger than the stream takes")

// Codes of the JetStream API. Source: nats-server 2.15.2, server/errors.json.
const (
	codeAccountFull     = 10002
	codeNoResources     = 10023 // the server's limit of storage is reached
	codeNoStorage       = 10047
	codeMessageSize     = 10054 // above max_msg_size
	codeWrongLast       = 10071 // the fence
	codeStoreFailed     = 10077 // no room for the message or its subject in a stream that discards new ones
	codeSealed          = 10109
	codeWrongLastInTalk = 10164 // the fence, or a proposal on that subject is in flight
	codeTooManyRequests = 10167
	codeAtomicDisabled  = 10174
	codeIncomplete      = 10176 // the server dropped some of the batch
	codeBatchTooLarge   = 10199
	codeTooManyInflight = 10210
)

// apiError is a refusal by JetStream.
type apiError struct {
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.ErrCode) }

// Is makes a refusal match what it means to callers.
func (e *apiError) Is(target error) bool {
	switch e.ErrCode {
	case codeWrongLast, codeWrongLastInTalk:
		return target == pipeline.ErrFenced
	case codeBatchTooLarge:
		return target == errTooLarge
	case codeAtomicDisabled:
		return target == errDisabled
	case codeMessageSize:
		return target == errMessageSize
	}
	return false
}

// busy reports a refusal that says: not now. The same batch may be sent again,
// with the same fences: they make a repeat harmless.
func (e *apiError) busy() bool {
	switch e.ErrCode {
	case codeTooManyInflight, codeTooManyRequests, codeIncomplete, codeWrongLastInTalk:
		return true
	}
	return false
}

// limiting reports whether a batch was too large because of the server's
// configuration, and not since the server is overloaded.
func limiting(err error) bool {
	refusal, ok := errors.AsType[*apiError](err)
	return ok && refusal.ErrCode == codeBatchTooLarge
}

// publisher sends messages that are stored all or none.
type publisher struct {
	conn *Conn
	open pipeline.Gate // of batches under way
}

func newPublisher(conn *Conn) *publisher {
	return &publisher{conn: conn, open: pipeline.Gate{Capacity: openBatches}}
}

// ack says what became of a message.
type ack struct {
	Seq       uint64 `json:"seq"`       // of the last one; 0: nobody says
	Duplicate bool   `json:"duplicate"` // it was there already
}

// messages are what is stored as one, made while it is sent. at gives the one
// at an index, which need not outlive the call for the next: sending copies it.
type messages struct {
	len    int
	at     func(i int) *nats.Msg
	drains bool // others may go first: more follows, or it is of the past
}

// publish stores the messages as publishEach does.
func (p *publisher) publish(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	return p.publishEach(ctx, messages{len: len(msgs), at: func(i int) *nats.Msg { return msgs[i] }})
}

// publishEach stores the messages as one and returns the sequence of the last. An
// error that matches pipeline.ErrFenced or errTooLarge says that nothing was
// stored; any other leaves that open.
func (p *publisher) publishEach(ctx context.Context, msgs messages) (uint64, error) {
	ack, err := p.repeat(ctx, msgs)
	return ack.Seq, err
}

// one publishes a single message.
func (p *publisher) one(ctx context.Context, m *nats.Msg) (ack, error) {
	return p.repeat(ctx, messages{len: 1, at: func(int) *nats.Msg { return m }})
}

// repeat sends the messages until the server is not busy.
func (p *publisher) repeat(ctx context.Context, msgs messages) (ack, error) {
	backoff := pipeline.Backoff{Min: 20 * time.Millisecond, Max: 2 * time.Second}
	for try := 1; ; try++ {
		got, err := p.once(ctx, msgs)
		refusal, refused := errors.AsType[*apiError](err)
		if !refused || !refusal.busy() {
			return got, err
		}
		if try == 8 {
			return ack{}, exhausted(refusal, msgs.len)
		}
		if err := pipeline.Sleep(ctx, backoff.Next()); err != nil {
			return ack{}, err
		}
	}
}

// exhausted is what a refusal means that does not go away. A batch that is dropped
// in parts every time is larger than the server's queue.
func exhausted(refusal *apiError, size int) error {
	dropped := refusal.ErrCode == codeIncomplete || refusal.ErrCode == codeTooManyRequests
	if dropped && size > 2 {
		return fmt.Errorf("%w: %w", errTooLarge, refusal)
	}
	return refusal
}

// once sends the messages one time.
func (p *publisher) once(ctx context.Context, msgs messages) (ack, error) {
	ctx, cancel := p.conn.Epoch(ctx) // an ack can't outlive the connection
	defer cancel()
	if msgs.len == 1 {
		return p.ask(ctx, msgs.at(0))
	}
	slot, err := p.open.Take(ctx, 1, msgs.drains)
	if err != nil {
		return ack{}, err
	}
	defer slot.Release()
	return p.batch(ctx, msgs)
}

// batch sends an atomic batch. The first message's ack is awaited, since it
// reserves the batch: what the server would refuse anyway is not sent. The
// fences are judged at the commit, which the last message asks for.
//
// What a restart finds: without the commit nothing, for the server drops the
// batch; with it everything, since the server finishes a commit that it began.
// Source: measured with SIGKILL at random moments, nats-server 2.15.2.
func (p *publisher) batch(ctx context.Context, msgs messages) (ack, error) {
	id, number, last := []string{nuid.Next()}, []string{""}, msgs.len-1
	message := func(i int) *nats.Msg {
		m := msgs.at(i)
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

// ask publishes a message and reads its ack; the sequence is 0 when the ack is
// empty, as that of a batch's first message is.
func (p *publisher) ask(ctx context.Context, m *nats.Msg) (ack, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	reply, err := p.conn.NATS.RequestMsgWithContext(ctx, m)
	if err != nil {
		return ack{}, p.conn.refused(m.Subject, cause(ctx, err))
	}
	if len(reply.Data) == 0 {
		return ack{}, nil
	}
	var answer struct {
		ack
		Stream string    `json:"stream"`
		Domain string    `json:"domain"`
		Error  *apiError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return ack{}, fmt.Errorf("read ack: %w", err)
	}
	if answer.Error != nil {
		return ack{}, answer.Error // if it is another stream's, a sync finds out what became of it
	}
	if err := p.conn.own(m.Subject, answer.Stream, answer.Domain); err != nil {
		return ack{}, err
	}
	return answer.ack, nil
}
