package jets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of an answer to a direct get.
const (
	headerGetStream   = "Nats-Stream"
	headerGetSubject  = "Nats-Subject"
	headerGetSequence = "Nats-Sequence"
	headerGetTime     = "Nats-Time-Stamp"
	headerGetPending  = "Nats-Num-Pending"
	headerGetBefore   = "Nats-Last-Sequence"
	headerStatus      = "Status"
)

// getTime is how long an answer may take as a whole. A server that looks for a
// rare subject in a large store that it has not read lately takes its time.
const getTime = time.Minute

var (
	errGap  = errors.New("a message of the answer did not arrive")
	errGets = errors.New("no answer to a direct get")

	// ErrNoDirect: the stream allows no direct gets.
	ErrNoDirect = errors.New("the stream allows no direct gets")
)

// getRequest asks for the first message at or after Seq, on the subject NextFor
// if there is one; with Batch for so many.
type getRequest struct {
	Seq      uint64 `json:"seq"`
	NextFor  string `json:"next_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// got is a message of an answer.
type got struct {
	seq     uint64
	subject string
	msg     *nats.Msg
}

// stored is the event of the message.
func (g got) stored() *Stored {
	h := g.msg.Header
	at, _ := time.Parse(time.RFC3339Nano, last(h[headerGetTime])) // the server writes no other
	for _, name := range [...]string{headerGetStream, headerGetSubject, headerGetSequence, headerGetTime, headerGetPending, headerGetBefore} {
		if values := h[name]; len(values) > 1 {
			h[name] = values[:len(values)-1] // the rest was stored with the event
		} else {
			delete(h, name)
		}
	}
	return &Stored{Instance: instanceOf(g.subject), Seq: g.seq, At: at, Header: h, Data: g.msg.Data}
}

// last is the value that the server added: a stored message may have brought
// headers of the same names.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// getter asks for stored messages over a connection of its own, since a server
// answers the direct gets of a connection one after another. It is for one
// goroutine.
type getter struct {
	conn  *Conn
	sub   *nats.Subscription
	inbox string
	asked uint64
}

// getter connects once more, to the same servers as the same user.
func (c *Conn) getter() (*getter, error) {
	own := &Conn{APIPrefix: c.APIPrefix, log: slog.New(slog.DiscardHandler)} // its drops are told by who reads
	own.opened()
	opts := c.NATS.Opts
	opts.ConnectedCB, opts.DisconnectedCB, opts.DisconnectedErrCB = nil, nil, nil
	opts.ReconnectedCB, opts.ClosedCB, opts.DiscoveredServersCB = nil, nil, nil
	opts.AsyncErrorCB = own.refused
	if err := own.hooks(&opts); err != nil {
		return nil, err
	}
	nc, err := opts.Connect()
	if err != nil {
		return nil, withoutURL(err)
	}
	own.NATS = nc
	g := &getter{conn: own, inbox: nc.NewInbox()}
	if g.sub, err = nc.SubscribeSync(g.inbox + ".*"); err == nil {
		err = g.sub.SetPendingLimits(-1, -1)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return g, nil
}

// refused ends what waits for an answer that a missing permission keeps from
// ever coming.
func (c *Conn) refused(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.end(err)
	}
}

// Get calls take with each message of the answer, in order. It returns
// ErrNoMessage when the answer is that there is none.
func (g *getter) Get(ctx context.Context, want getRequest, take func(got)) error {
	ctx, done := g.conn.Epoch(ctx)
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, getTime, errGets)
	defer cancel()
	g.asked++
	reply := g.inbox + "." + strconv.FormatUint(g.asked, 36)
	data, err := json.Marshal(want)
	if err != nil {
		return err
	}
	if err := g.conn.NATS.PublishRequest(g.conn.APIPrefix+".DIRECT.GET."+StreamSignals, reply, data); err != nil {
		return err
	}
	for before := uint64(0); ; {
		m, err := g.sub.NextMsgWithContext(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return err
		}
		if m.Subject != reply {
			continue // of a request that was given up
		}
		seq, err := strconv.ParseUint(last(m.Header[headerGetSequence]), 10, 64)
		if err != nil {
			return ended(m, before)
		}
		if want.Batch > 0 && last(m.Header[headerGetBefore]) != strconv.FormatUint(before, 10) {
			return errGap
		}
		take(got{seq, last(m.Header[headerGetSubject]), m})
		if before = seq; want.Batch == 0 {
			return nil
		}
	}
}

// ended reads the last message of an answer, which is no stored one.
func ended(m *nats.Msg, before uint64) error {
	switch status := m.Header.Get(headerStatus); {
	case status == "204" && m.Header.Get(headerGetBefore) != strconv.FormatUint(before, 10):
		return errGap
	case status == "204":
		return nil
	case status == "404":
		return ErrNoMessage
	case status == "503":
		return nats.ErrNoResponders
	default:
		return fmt.Errorf("direct get: status %q %s", status, m.Header.Get("Description"))
	}
}

func (g *getter) Close() { g.conn.NATS.Close() }

func isNoMessage(err error) bool { return errors.Is(err, ErrNoMessage) }

// passings are errors that may be gone when the request is made again.
var passings = []error{
	ErrDisconnected, errGap, errGets, context.DeadlineExceeded, io.EOF,
	nats.ErrTimeout, nats.ErrNoResponders, nats.ErrNoServers, nats.ErrDisconnected,
	nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrStaleConnection,
	jetstream.ErrNoStreamResponse, jetstream.ErrTooManyStalledMsgs, jetstream.ErrAsyncPublishTimeout,
}

// passing reports whether an error may be gone when the request is made again.
func passing(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.Code == 503
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return slices.ContainsFunc(passings, func(p error) bool { return errors.Is(err, p) })
}

// stored is the event of a message that the leader gave.
func (m *RawMsg) stored() *Stored {
	e := &Stored{Instance: instanceOf(m.Subject), Seq: m.Seq, At: m.Time, Header: m.Header, Data: m.Data}
	if e.Header == nil {
		e.Header = nats.Header{}
	}
	return e
}
