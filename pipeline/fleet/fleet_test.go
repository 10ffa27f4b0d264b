package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// bench is what several fleets share in a test: locks and integrations in
// memory, and a diary of what happened to each instance.
type bench struct {
	t *testing.T

	mu       sync.Mutex
	entries  map[string]pipeline.Entry
	changed  chan struct{}            // closed at each change
	free     map[string]chan struct{} // by instance: holds a token while the lock is free
	lose     map[string]context.CancelCauseFunc
	polling  map[string]int // by instance and by replica: polls going on
	diary    map[string][]string
	claims   map[string]pipeline.Claim // by instance: the newest
	declined map[string]time.Time
	fail     map[string]error // by instance: Poll returns it at once
	taken    error            // Hold returns it; nil: it does not
	refused  error            // what polls say that keeps them from the org, each half a minute; nil: it answers
	linger   time.Duration    // how long a poll goes on after its ctx ended
	watchErr error            // the next Watch returns it
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, entries: map[string]pipeline.Entry{}, changed: make(chan struct{}), free: map[string]chan struct{}{},
		lose: map[string]context.CancelCauseFunc{}, claims: map[string]pipeline.Claim{}, declined: map[string]time.Time{}, polling: map[string]int{}, diary: map[string][]string{}, fail: map[string]error{}}
}

// Watch is Integrations.
func (b *bench) Watch(ctx context.Context, changed func(map[string]pipeline.Entry)) error {
	for {
		b.mu.Lock()
		entries, next, err := maps.Clone(b.entries), b.changed, b.watchErr
		b.watchErr = nil
		b.mu.Unlock()
		if err != nil {
			return err
		}
		changed(entries)
		select {
		case <-next:
		case <-ctx.Done():
			return nil
		}
	}
}

// edit changes the integrations and waits until all came to rest.
func (b *bench) edit(change func(map[string]pipeline.Entry)) {
	b.mu.Lock()
	change(b.entries)
	close(b.changed)
	b.changed = make(chan struct{})
	b.mu.Unlock()
	synctest.Wait()
}

func (b *bench) put(is ...pipeline.Integration) {
	b.edit(func(m map[string]pipeline.Entry) {
		for _, i := range is {
			m[i.Instance] = pipeline.Entry{Integration: i}
		}
	})
}

// Hold is Locks.
func (b *bench) Hold(ctx context.Context, claim pipeline.Claim, held func(context.Context)) error {
	instance := claim.Instance
	b.mu.Lock()
	b.claims[instance] = claim
	if b.taken != nil {
		defer b.mu.Unlock()
		return b.taken
	}
	free := b.free[instance]
	if free == nil {
		free = make(chan struct{}, 1)
		free <- struct{}{}
		b.free[instance] = free
	}
	b.mu.Unlock()
	select {
	case <-free:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { free <- struct{}{} }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b.mu.Lock()
	b.lose[instance] = cancel
	b.mu.Unlock()
	held(ctx)
	return nil
}

// Decline is Locks.
func (b *bench) Decline(instance string, until time.Time, _ string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.declined[instance] = until
}

func (b *bench) write(instance, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.diary[instance] = append(b.diary[instance], fmt.Sprintf(format, args...))
}

// poll is Fleet.Poll of the replica of that name.
func (b *bench) poll(replica string) func(context.Context, pipeline.Integration, func(error)) error {
	return func(ctx context.Context, i pipeline.Integration, able func(error)) error {
		leave, fail := b.enter(replica, i.Instance)
		defer leave()
		if fail != nil {
			b.write(i.Instance, "%s fails", replica)
			return fail
		}
		b.write(i.Instance, "%s polls %s", replica, i.Origin)
		for ctx.Err() == nil {
			b.mu.Lock()
			refused := b.refused
			b.mu.Unlock()
			if !errors.Is(refused, errQuiet) {
				able(refused)
			}
			_ = pipeline.Sleep(ctx, 30*time.Second)
		}
		time.Sleep(b.linger)
		b.write(i.Instance, "%s ends: %v", replica, context.Cause(ctx))
		return nil
	}
}

// errQuiet, as what keeps polls from the org, has them say nothing.
var errQuiet = errors.New("quiet")

// enter counts a poll, of its replica and of its instance.
func (b *bench) enter(replica, instance string) (leave func(), fail error) {
	add := func(n int) int {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.polling[replica] += n
		b.polling[instance] += n
		fail = b.fail[instance]
		return b.polling[instance]
	}
	if n := add(1); n > 1 {
		b.t.Errorf("%d polls of %s at once", n, instance)
	}
	return func() { add(-1) }, fail
}

// fleet is one replica's.
func (b *bench) fleet(replica string) *Fleet {
	return &Fleet{Integrations: b, Locks: b, Poll: b.poll(replica),
		Backoff: pipeline.Backoff{Rand: func() float64 { return 1 }},
		Report: func(i pipeline.Integration, state pipeline.State, err error) {
			instance := i.Instance
			if err != nil {
				b.write(instance, "%s reports %s: %v", replica, state, err)
				return
			}
			b.write(instance, "%s reports %s", replica, state)
		}}
}

// start runs a replica's fleet. The function that it returns ends it as SIGTERM
// does, and checks that no poll of it goes on after Run.
func (b *bench) start(replica string, f *Fleet) (stop func()) {
	ctx, cancel := context.WithCancelCause(b.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f.Run(ctx); err != nil {
			b.t.Errorf("Run = %v", err)
		}
	}()
	synctest.Wait()
	return func() {
		cancel(errors.New("terminated"))
		<-done
		if n := b.count(replica); n != 0 {
			b.t.Errorf("%d polls of %s go on after Run", n, replica)
		}
		synctest.Wait()
	}
}

// failing sets what Poll returns at once for an instance; nil: it works.
func (b *bench) failing(instance string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail[instance] = err
}

// turn forgets what was written of an instance.
func (b *bench) turn(instance string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	page := b.diary[instance]
	b.diary[instance] = nil
	return page
}

func (b *bench) count(of string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.polling[of]
}

// expect compares what was written of an instance since the last expect.
func (b *bench) expect(instance string, want ...string) {
	b.t.Helper()
	if got := b.turn(instance); !slices.Equal(got, want) {
		b.t.Errorf("%s:\n got %q\nwant %q", instance, got, want)
	}
}

func acme(origin string) pipeline.Integration {
	return pipeline.Integration{Instance: "acme", Enabled: true, Origin: origin, Token: pipeline.NewSecret("00abc")}
}

func other() pipeline.Integration {
	return pipeline.Integration{Instance: "other", Enabled: true, Origin: "o"}
}

// inBubble runs a test with one fleet on a bench, and ends the fleet.
func inBubble(t *testing.T, test func(*bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.start("one", b.fleet("one"))()
		test(b)
	})
}

func TestFleetPollsWhatIsAddedAndFollowsItsChanges(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.put(acme("a"), other())
		b.expect("acme", "one polls a")
		b.expect("other", "one polls o")
		b.put(acme("b"))
		b.expect("acme", "one ends: integration changed", "one polls b")
		b.put(acme("b"))
		changed := acme("b")
		changed.Token = pipeline.NewSecret("00def")
		b.expect("acme")
		b.put(changed)
		b.expect("acme", "one ends: integration changed", "one polls b")
		b.expect("other")
	})
}

// Changes that mean nothing to the poll do not end it, however many there are.
func TestFleetPollsOnThroughWhatChangesNothing(t *testing.T) {
	inBubble(t, func(b *bench) {
		one := acme("a")
		one.Since.Moment = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		b.put(one)
		for n := range 60 {
			one.Name = fmt.Sprint("Acme ", n)
			one.Since.Moment = one.Since.Moment.In(time.FixedZone("", n*60))
			b.put(one)
		}
		b.expect("acme", "one polls a")
	})
}

func TestFleetRestartsWithinTheLockItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.linger = 3 * time.Second
		b.put(acme("a"))
		defer b.start("one", b.fleet("one"))()
		defer b.start("two", b.fleet("two"))()
		for _, filter := range []string{"x", "y"} {
			changed := acme("a")
			changed.Filter = filter
			b.put(changed)
		}
		time.Sleep(time.Minute)
		b.expect("acme", "one polls a", "one ends: integration changed", "one polls a")
	})
}

func TestFleetStopsWhatIsDisabledDeletedOrWrong(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.put(acme("a"), other())
		b.expect("acme", "one polls a")

		disabled := acme("a")
		disabled.Enabled = false
		b.put(disabled)
		b.put(disabled)
		b.expect("acme", "one ends: integration changed", "one reports disabled")
		b.put(acme("a"))
		b.expect("acme", "one polls a")

		wrong := func(text string) func(map[string]pipeline.Entry) {
			return func(m map[string]pipeline.Entry) { m["acme"] = pipeline.Entry{Err: errors.New(text)} }
		}
		b.edit(wrong("x"))
		b.edit(wrong("x"))
		b.expect("acme", "one ends: integration changed", "one reports configuration error: x")
		b.edit(wrong("y"))
		b.expect("acme", "one reports configuration error: y")
		b.put(acme("a"))
		b.expect("acme", "one polls a")

		b.edit(func(m map[string]pipeline.Entry) { delete(m, "acme") })
		b.expect("acme", "one ends: integration changed", "one reports ")
		b.put(acme("b"))
		b.expect("acme", "one polls b")

		b.expect("other", "one polls o")
	})
}

func TestAnInstanceThatIsBackWaitsForItsFormerPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.linger = 5 * time.Second
		defer b.start("one", b.fleet("one"))()
		b.put(acme("a"), other())
		b.edit(func(m map[string]pipeline.Entry) { delete(m, "acme") })
		b.put(acme("b"))
		b.edit(func(m map[string]pipeline.Entry) { delete(m, "acme") })
		b.put(acme("c"))
		b.expect("acme", "one polls a")
		time.Sleep(6 * time.Second)
		b.expect("acme", "one ends: integration changed", "one reports ", "one reports ", "one polls c")
		b.expect("other", "one polls o")
	})
}

func TestADisabledInstanceFreesItsLock(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.put(acme("a"))
		disabled := acme("a")
		disabled.Enabled = false
		b.put(disabled)
		taken := false
		if err := b.Hold(b.t.Context(), pipeline.Claim{Instance: "acme"}, func(context.Context) { taken = true }); err != nil || !taken {
			b.t.Errorf("the lock is not free: %v", err)
		}
	})
}

func TestALostLockEndsThePollAndIsContendedForAgain(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.put(acme("a"))
		b.mu.Lock()
		lose := b.lose["acme"]
		b.mu.Unlock()
		lose(pipeline.ErrLockLost)
		synctest.Wait()
		b.expect("acme", "one polls a", "one ends: lock lost")
		time.Sleep(time.Second)
		b.expect("acme", "one polls a")
	})
}

// A lock that is handed over is contended for again at once, and waited for.
func TestAHandoverIsNoFailure(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.put(acme("a"))
		b.expect("acme", "one polls a")
		for range 20 { // no wait grows
			b.mu.Lock()
			lose := b.lose["acme"]
			b.mu.Unlock()
			lose(fmt.Errorf("%w: two", pipeline.ErrHandover))
			synctest.Wait()
			b.expect("acme", "one ends: handed over to another replica: two", "one polls a")
		}
	})
}

func TestClaimsAreSharedByOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		f := b.fleet("one")
		f.Static = []pipeline.Integration{acme("static"), other()}
		defer b.start("one", f)()
		want := func(instance, key string) {
			t.Helper()
			b.mu.Lock()
			defer b.mu.Unlock()
			if c := b.claims[instance]; c.Instance != instance || c.Key != key || c.Origin == "" || key != "" && c.Origin != key {
				t.Errorf("claim is %+v, want %s by %q", c, instance, key)
			}
		}
		want("acme", "")
		want("other", "")
		b.put(acme("a"))
		want("acme", "a")
		b.put(acme("b"))
		want("acme", "b")
		b.edit(func(m map[string]pipeline.Entry) { delete(m, "acme") })
		want("acme", "")
		b.expect("acme", "one polls static", "one ends: integration changed", "one polls a", "one ends: integration changed",
			"one polls b", "one ends: integration changed", "one polls static")
	})
}

// Another process polls another org under the name of the one from the environment: this
// is reported and tried again, so that it is polled when the name is free.
func TestANameThatIsTakenIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		f := b.fleet("one")
		f.Static = []pipeline.Integration{acme("https://acme.oktapreview.com")}
		b.taken = fmt.Errorf("the name is taken: %w", pipeline.ErrConfig)
		defer b.start("one", f)()
		b.expect("acme", "one reports configuration error: the name is taken: configuration error")
		b.mu.Lock()
		if b.declined["acme"].IsZero() {
			t.Error("it is not declined")
		}
		b.taken = nil
		b.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		if d := b.diary["acme"]; len(d) == 0 || d[len(d)-1] != "one polls https://acme.oktapreview.com" {
			t.Errorf("a minute after the name was free: %q", d)
		}
	})
}

// A process declines an instance that it can't poll until the integration changes.
func TestDeclines(t *testing.T) {
	for err, want := range map[error]bool{pipeline.ErrConfig: true, pipeline.ErrNewer: true, pipeline.ErrCredential: false, errors.New("odd"): false} {
		inBubble(t, func(b *bench) {
			declined := func() bool {
				b.mu.Lock()
				defer b.mu.Unlock()
				return b.declined["acme"].Equal(time.Now().Add(declining))
			}
			b.failing("acme", fmt.Errorf("poll: %w", err))
			b.put(acme("a"))
			if declined() != want {
				b.t.Errorf("after %v, declined is %v", err, !want)
			}
			b.failing("acme", nil)
			b.put(acme("b"))
			b.mu.Lock()
			defer b.mu.Unlock()
			if !b.declined["acme"].IsZero() {
				b.t.Error("a changed integration is declined")
			}
		})
	}
}

// Each time that a process has tried an instance again in vain, it leaves it to others
// for longer; tries in between, when there are no others, do not count.
func TestDecliningGrows(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.failing("acme", pipeline.ErrConfig)
		declined := func() time.Duration {
			b.mu.Lock()
			defer b.mu.Unlock()
			return time.Until(b.declined["acme"])
		}
		b.put(acme("a"))
		time.Sleep(20 * time.Second)
		for _, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
			time.Sleep(45 * time.Second) // another try, at least
			if got := declined(); got > want*time.Minute || got < want*time.Minute-31*time.Second {
				t.Errorf("declined for %s, want %s", got, want*time.Minute)
			}
			b.mu.Lock()
			free := b.free["acme"]
			b.mu.Unlock()
			<-free // another has it, until the time has passed
			time.Sleep(declined())
			free <- struct{}{}
		}
		b.put(acme("b"))
		synctest.Wait()
		if got := declined(); got != 5*time.Minute {
			t.Errorf("a changed integration is declined for %s", got)
		}
	})
}

// An org that can't be polled from here is left to others after a minute, for longer each
// time, and at least until it may be asked again. The poll goes on meanwhile; its
// success, or a changed integration, ends that.
func TestDeclinesWhatIsRefused(t *testing.T) {
	inBubble(t, func(b *bench) {
		declined := func() time.Duration {
			b.mu.Lock()
			defer b.mu.Unlock()
			return max(0, time.Until(b.declined["acme"]))
		}
		refuse := func(err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.refused = err
		}
		refuse(&pipeline.NotBefore{Err: errors.New("no route")})
		b.put(acme("a"))
		time.Sleep(59 * time.Second)
		if d := declined(); d != 0 {
			b.t.Errorf("declined for %s before a minute was over", d)
		}
		time.Sleep(2 * time.Second)
		for _, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
			if got := declined(); got > want*time.Minute || got < want*time.Minute-31*time.Second {
				b.t.Errorf("declined for %s, want %s", got, want*time.Minute)
			}
			refuse(errQuiet)
			time.Sleep(want * time.Minute)
			refuse(&pipeline.NotBefore{Err: errors.New("no route")})
			time.Sleep(30 * time.Second)
		}
		b.expect("acme", "one polls a") // all the while

		refuse(nil)
		time.Sleep(30 * time.Second)
		if d := declined(); d != 0 {
			b.t.Errorf("declined for %s, although it is polled", d)
		}
		refuse(&pipeline.NotBefore{At: time.Now().Add(15 * time.Minute), Err: errors.New("no route")})
		time.Sleep(91 * time.Second)
		if d := declined(); d < 13*time.Minute {
			b.t.Errorf("declined for %s, want until it may be asked again", d)
		}
		refuse(nil)
		b.put(acme("b"))
		if d := declined(); d != 0 {
			b.t.Errorf("declined for %s, although the integration has changed", d)
		}
	})
}

func TestSIGTERMHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.linger = time.Second
		b.put(acme("a"))
		stop := b.start("one", b.fleet("one"))
		defer b.start("two", b.fleet("two"))()
		b.expect("acme", "one polls a")
		stop()
		synctest.Wait()
		b.expect("acme", "one ends: terminated", "one reports unowned", "two polls a")
	})
}

func TestAPollThatReturnsIsTriedAgainWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.failing("acme", fmt.Errorf("poll acme: %w", pipeline.ErrNewer))
		b.put(acme("a"))
		defer b.start("one", b.fleet("one"))()
		time.Sleep(500*time.Millisecond + time.Second + time.Millisecond)
		if tries := len(b.turn("acme")); tries != 6 {
			t.Errorf("%d entries after 1.5 s, want three tries with a report each", tries)
		}

		// Another replica can do it, while this one holds back.
		able := b.fleet("two")
		able.Poll = func(ctx context.Context, _ pipeline.Integration, _ func(error)) error {
			b.write("acme", "two polls")
			<-ctx.Done()
			return nil
		}
		stop := b.start("two", able)
		time.Sleep(time.Minute)
		b.expect("acme", "two polls")
		stop()

		b.failing("acme", nil)
		b.turn("acme")
		b.put(acme("b"))
		b.expect("acme", "one polls b")
	})
}

func TestANewIntegrationEndsTheHoldingBack(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.failing("acme", errors.New("no token"))
		b.put(acme("a"))
		time.Sleep(time.Hour)
		b.failing("acme", nil)
		b.turn("acme")
		b.put(acme("b"))
		b.expect("acme", "one polls b")
	})
}

func TestANewIntegrationIsTriedWithShortWaits(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.failing("acme", errors.New("no token"))
		b.put(acme("a"))
		time.Sleep(time.Hour)
		b.turn("acme")
		b.put(acme("b")) // while it holds back
		time.Sleep(501 * time.Millisecond)
		b.expect("acme", "one fails", "one reports retrying: no token", "one fails", "one reports retrying: no token")

		time.Sleep(time.Hour)
		b.failing("acme", nil)
		time.Sleep(31 * time.Second)
		b.failing("acme", errors.New("no token"))
		b.turn("acme")
		b.put(acme("c")) // while it polls
		time.Sleep(501 * time.Millisecond)
		b.expect("acme", "one ends: integration changed", "one fails", "one reports retrying: no token",
			"one fails", "one reports retrying: no token")
	})
}

// The log says what a process does with an instance: that it goes on with a changed one,
// and that it leaves one to others.
func TestFleetLogsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var log bytes.Buffer // read when all is at rest
		f := b.fleet("one")
		f.Log = slog.New(slog.NewTextHandler(&log, nil))
		defer b.start("one", f)()
		said := func(what string) {
			t.Helper()
			if got := log.String(); strings.Count(got, what) != 1 || strings.Count(got, "level=INFO") != 1 {
				t.Errorf("want %q once in:\n%s", what, got)
			}
			log.Reset()
		}
		b.put(acme("a"))
		b.put(acme("b"))
		said("integration changed")
		off := acme("b")
		off.Enabled = false
		b.put(off)
		said("integration disabled")
		b.failing("acme", pipeline.ErrConfig)
		b.put(acme("c"))
		if got := log.String(); strings.Count(got, "msg=") != 1 || !strings.Contains(got, "can't be polled from here") {
			t.Errorf("want one line that it can't be polled, in:\n%s", got) // not a second one, that others may have it
		}
	})
}

func TestDeletedInstancesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		c := &group{Fleet: b.fleet("one").withDefaults(), members: map[string]*member{}, leaving: map[string]<-chan struct{}{}}
		ctx, cancel := context.WithCancel(t.Context())
		for n := range 100 {
			name := fmt.Sprintf("i%d", n)
			c.apply(ctx, map[string]pipeline.Entry{name: {Integration: pipeline.Integration{Instance: name, Enabled: true}}})
			synctest.Wait()
		}
		if len(c.members) != 1 || len(c.leaving) != 1 {
			t.Errorf("%d members and %d that left are kept, want one each", len(c.members), len(c.leaving))
		}
		cancel()
		c.wg.Wait()
	})
}

func TestReportsSayWhatKindOfFailure(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{pipeline.ErrNewer, "one reports configuration error: written by a newer signal-client"},
		{pipeline.ErrConfig, "one reports configuration error: configuration error"},
		{pipeline.ErrCredential, "one reports credential refused: credential refused"},
		{errors.New("odd"), "one reports retrying: odd"},
	} {
		inBubble(t, func(b *bench) {
			b.failing("acme", tc.err)
			b.put(acme("a"))
			b.expect("acme", "one fails", tc.want)
		})
	}
}

func TestStoredIntegrationsWinOverStaticOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.put(acme("stored"))
		f := b.fleet("one")
		f.Static = []pipeline.Integration{acme("static"), other()}
		defer b.start("one", f)()
		b.expect("acme", "one polls stored")
		b.expect("other", "one polls o")
		b.edit(func(m map[string]pipeline.Entry) { delete(m, "acme") })
		b.expect("acme", "one ends: integration changed", "one polls static")
		b.edit(func(m map[string]pipeline.Entry) { m["acme"] = pipeline.Entry{Err: errors.New("x")} })
		b.expect("acme", "one ends: integration changed", "one reports configuration error: x")
		b.expect("other")
	})
}

func TestStaticAloneAndGivenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		f := b.fleet("one")
		f.Integrations, f.Static = nil, []pipeline.Integration{acme("a")}
		b.start("one", f)()
		b.expect("acme", "one polls a", "one ends: terminated", "one reports unowned")
		f.Static = []pipeline.Integration{acme("a"), acme("b")}
		if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "acme is configured twice") {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestABrokenWatchDisturbsNoPoll(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.put(acme("a"))
		b.mu.Lock()
		b.watchErr = errors.New("bucket gone")
		b.mu.Unlock()
		b.put(acme("a"))
		time.Sleep(time.Second)
		b.expect("acme", "one polls a")
		b.put(acme("b"))
		b.expect("acme", "one ends: integration changed", "one polls b")
	})
}

func TestAFleetOfTenThousandEnds(t *testing.T) {
	const size = 10_000
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for n := range size {
			i := acme("a")
			i.Instance = fmt.Sprintf("i%d", n)
			b.entries[i.Instance] = pipeline.Entry{Integration: i}
		}
		b.entries["wrong"] = pipeline.Entry{Err: errors.New("x")}
		stop := b.start("one", b.fleet("one"))
		if n := b.count("one"); n != size {
			t.Errorf("%d instances are polled, want %d", n, size)
		}
		b.expect("wrong", "one reports configuration error: x")
		stop()
	})
}

// The same failure is logged once, and again each hour.
func TestFleetLogsAStandingFailureRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var out bytes.Buffer
		f := b.fleet("one")
		f.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))
		stop := b.start("one", f)
		b.failing("acme", errors.New("no token"))
		b.put(acme("a"))
		time.Sleep(150 * time.Minute)
		b.failing("acme", errors.New("no file"))
		time.Sleep(time.Minute)
		b.put(acme("b")) // tried anew, it fails as before
		stop()
		if tokens, files := strings.Count(out.String(), "no token"), strings.Count(out.String(), "no file"); tokens != 3 || files != 2 {
			t.Errorf("said %d and %d times:\n%s", tokens, files, &out)
		}
	})
}

func TestFleetLogsAWrongEntryOncePerChangeAndNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var out bytes.Buffer
		f := b.fleet("one")
		f.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		stop := b.start("one", f)
		for range 3 {
			b.edit(func(m map[string]pipeline.Entry) {
				m["bad"] = pipeline.Entry{Err: errors.New("settings.limit: is wrong")}
			})
		}
		b.failing("acme", errors.New("odd"))
		b.put(acme("a"))
		stop()
		if n := strings.Count(out.String(), "settings.limit: is wrong"); n != 1 {
			t.Errorf("the wrong entry is in the log %d times, want once:\n%s", n, &out)
		}
		if !strings.Contains(out.String(), "level=ERROR") || strings.Contains(out.String(), "00abc") {
			t.Errorf("log:\n%s", &out)
		}
	})
}
