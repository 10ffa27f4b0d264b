package breaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

var errPassing = errors.New("status 503")

// script is a source that answers with its errors in turn, and then well.
type script struct {
	errs  []error
	asked int
}

func (s *script) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	s.asked++
	if len(s.errs) == 0 {
		return pipeline.Page{Link: link}, nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return pipeline.Page{}, err
}

func poll(t *testing.T, b *Breaker) error {
	t.Helper()
	_, err := b.Poll(t.Context(), "/api/v1/logs")
	return err
}

// refusedUntil polls an open breaker and returns when it may be asked again.
func refusedUntil(t *testing.T, b *Breaker, why error) time.Time {
	t.Helper()
	err := poll(t, b)
	early, ok := errors.AsType[*pipeline.NotBefore](err)
	if !ok {
		t.Fatalf("poll of an open breaker: %v, want a NotBefore", err)
	}
	if !errors.Is(err, why) {
		t.Errorf("%q does not match %q", err, why)
	}
	return early.At
}

func TestBreakerOpens(t *testing.T) {
	credential := fmt.Errorf("ask: %w", pipeline.ErrCredential)
	throttled := fmt.Errorf("ask: %w", pipeline.ErrThrottled)
	cursor := fmt.Errorf("ask: %w", pipeline.ErrCursor)
	config := fmt.Errorf("ask: %w", pipeline.ErrConfig)
	early := &pipeline.NotBefore{Err: errPassing}
	for _, test := range []struct {
		name string
		errs []error
		want string
	}{
		{"credential at once", []error{credential}, Open},
		{"four in a row", []error{errPassing, errPassing, errPassing, errPassing}, Closed},
		{"five in a row", []error{errPassing, errPassing, errPassing, errPassing, errPassing}, Open},
		{"a success between", []error{errPassing, errPassing, errPassing, errPassing, nil, errPassing}, Closed},
		{"a throttle between resets nothing", []error{errPassing, errPassing, throttled, errPassing, errPassing, cursor, errPassing}, Open},
		{"throttled", slices.Repeat([]error{throttled}, 20), Closed},
		{"cursor", slices.Repeat([]error{cursor}, 20), Closed},
		{"configuration", slices.Repeat([]error{config}, 20), Closed},
		{"not before", slices.Repeat([]error{early}, 20), Closed},
		{"a timeout of the source's own", slices.Repeat([]error{context.DeadlineExceeded}, 5), Open},
	} {
		t.Run(test.name, func(t *testing.T) {
			source := &script{errs: slices.Clone(test.errs)}
			b := Wrap("prod", source, nil)
			for i, want := range test.errs {
				err := poll(t, b)
				_, later := errors.AsType[*pipeline.NotBefore](err)
				if !errors.Is(err, want) {
					t.Fatalf("poll %d: %v, want the source's own %v", i, err, want)
				}
				if opens := test.want == Open && i == len(test.errs)-1; opens && !later {
					t.Errorf("poll %d opens the breaker and does not say when to try again: %v", i, err)
				}
			}
			if got := b.State(); got != test.want {
				t.Errorf("state %s, want %s", got, test.want)
			}
		})
	}
}

func TestBreakerIgnoresTheCallersEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := Wrap("prod", &script{errs: slices.Repeat([]error{errPassing}, 20)}, nil)
	for range 20 {
		_, _ = b.Poll(ctx, "/api/v1/logs")
	}
	if b.State() != Closed {
		t.Errorf("state %s after polls that the caller gave up", b.State())
	}
}

func TestBreakerDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &script{errs: slices.Repeat([]error{pipeline.ErrCredential}, 9)}
		b := Wrap("prod", source, nil)
		b.Rand = func() float64 { return 0 }
		if err := poll(t, b); !errors.Is(err, pipeline.ErrCredential) {
			t.Fatal(err)
		}
		for i, want := range []time.Duration{30, 60, 120, 240, 480, 900, 900, 900} {
			want *= time.Second
			at := refusedUntil(t, b, pipeline.ErrCredential)
			if got := time.Until(at).Truncate(time.Second); got != want {
				t.Errorf("opening %d lasts %s, want %s", i, got, want)
			}
			if i+1 != source.asked {
				t.Errorf("asked %d times before opening %d is over, want %d", source.asked, i, i+1)
			}
			time.Sleep(time.Until(at))
			if b.State() != HalfOpen {
				t.Errorf("state %s when opening %d is over", b.State(), i)
			}
			if err := poll(t, b); !errors.Is(err, pipeline.ErrCredential) {
				t.Errorf("probe %d: %v", i, err)
			}
		}
	})
}

func TestBreakerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		trace := &pipeline.Trace{Breaker: func(instance, state string, refused bool) {
			told = append(told, fmt.Sprint(instance, " ", state, " ", refused))
		}}
		source := &script{errs: []error{pipeline.ErrCredential, pipeline.ErrCredential, pipeline.ErrThrottled, nil}}
		b := Wrap("prod", source, trace)
		for range 2 {
			_ = poll(t, b)
			time.Sleep(time.Until(refusedUntil(t, b, pipeline.ErrCredential)))
		}
		if err := poll(t, b); err != pipeline.ErrThrottled || b.State() != HalfOpen {
			t.Fatalf("a throttled probe gave %v and left the breaker %s", err, b.State())
		}
		if err := poll(t, b); err != nil || b.State() != Closed {
			t.Fatalf("a good probe gave %v and left the breaker %s", err, b.State())
		}
		source.errs = slices.Repeat([]error{errPassing}, 5)
		for range 5 {
			_ = poll(t, b)
		}
		if at := refusedUntil(t, b, errPassing); time.Until(at) > 34*time.Second {
			t.Errorf("opens for %s after a success, want the least again", time.Until(at))
		}
		want := []string{"prod open true", "prod half-open true", "prod open true", "prod half-open true",
			"prod closed false", "prod open false"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// On demand an open breaker lets one request through: a success closes it, a failure
// changes nothing, nor does an error that is not the org's.
func TestBreakerTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &script{errs: []error{pipeline.ErrCredential, errPassing, pipeline.ErrThrottled, nil, pipeline.ErrCredential}}
		b := Wrap("prod", source, nil)
		b.Try() // which a closed breaker need not be told
		_ = poll(t, b)
		until := refusedUntil(t, b, pipeline.ErrCredential)
		b.Try()
		if at := refusedUntil(t, b, errPassing); !at.Equal(until) || source.asked != 2 {
			t.Errorf("asked %d times; after a try that failed the next is at %v, not %v", source.asked, at, until)
		}
		if at := refusedUntil(t, b, errPassing); !at.Equal(until) || source.asked != 2 {
			t.Errorf("asked %d times for one try", source.asked)
		}
		b.Try()
		if err := poll(t, b); err != pipeline.ErrThrottled || b.State() != Open {
			t.Errorf("a throttled try gave %v and left the breaker %s", err, b.State())
		}
		b.Try()
		if err := poll(t, b); err != nil || b.State() != Closed {
			t.Errorf("a good try gave %v and left the breaker %s", err, b.State())
		}
		_ = poll(t, b)
		if at := refusedUntil(t, b, pipeline.ErrCredential); time.Until(at) > 34*time.Second {
			t.Errorf("opens for %s after a success, want the least again", time.Until(at))
		}
	})
}

func TestBreakerJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			b := Wrap("prod", &script{errs: []error{pipeline.ErrCredential}}, nil)
			_ = poll(t, b)
			if d := time.Until(refusedUntil(t, b, pipeline.ErrCredential)); d < 30*time.Second || d > 34*time.Second {
				t.Errorf("open for %s", d)
			}
		}
	})
}

func TestBreakerOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &gate{script: script{errs: []error{pipeline.ErrCredential}}, free: make(chan struct{})}
		b := Wrap("prod", source, nil)
		_ = poll(t, b)
		time.Sleep(time.Until(refusedUntil(t, b, pipeline.ErrCredential)))
		source.shut = true
		done := make(chan error)
		go func() { done <- poll(t, b) }()
		synctest.Wait()
		if at := refusedUntil(t, b, pipeline.ErrCredential); !at.After(time.Now()) {
			t.Error("a poll beside the probe is told to come back at once")
		}
		close(source.free)
		if err := <-done; err != nil || b.State() != Closed {
			t.Errorf("the probe gave %v, state %s", err, b.State())
		}
	})
}

// gate is a script that answers, once shut, when it is set free.
type gate struct {
	script
	shut bool
	free chan struct{}
}

func (g *gate) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	if g.shut {
		<-g.free
	}
	return g.script.Poll(ctx, link)
}

func (b *Breaker) State() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current.State().String()
}
