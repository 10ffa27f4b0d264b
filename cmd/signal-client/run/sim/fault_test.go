package sim

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// fault is a fault that a fleet can meet; most of them hit one replica.
type fault struct {
	weight int
	what   string
	do     func(w *fleetWorld, slot int, r *replica)
	may    func(fleetTrouble) bool // nil: always
}

var fleetFaults = []fault{
	{12, "is killed", (*fleetWorld).kill, nil},
	{8, "dies at a write", func(w *fleetWorld, slot int, r *replica) {
		r.proxy.AtWrite(1+w.rng.IntN(20), r.die)
		w.slots[slot], w.doomed = nil, append(w.doomed, r)
	}, nil},
	{8, "leaves", func(w *fleetWorld, slot int, r *replica) {
		r.heal()
		r.term()
		w.slots[slot] = nil
	}, nil},
	{6, "is disconnected at a write", func(w *fleetWorld, _ int, r *replica) {
		r.proxy.AtWrite(1+w.rng.IntN(20), func() { r.proxy.Cut(false) })
	}, nil},
	{7, "is disconnected", func(_ *fleetWorld, _ int, r *replica) { r.proxy.Cut(false) }, nil},
	{8, "is cut off", func(w *fleetWorld, _ int, r *replica) {
		r.proxy.Part()
		time.AfterFunc(w.upTo(4*w.ttl), r.heal)
	}, nil},
	{8, "hears nothing", func(w *fleetWorld, _ int, r *replica) {
		r.proxy.Stall()
		time.AfterFunc(w.upTo(4*w.ttl), r.heal)
	}, nil},
	{10, "is frozen", func(w *fleetWorld, _ int, r *replica) {
		r.freeze()
		if w.chance(0.8) { // else until it recovers
			time.AfterFunc(w.upTo(6*w.ttl), r.heal)
		}
	}, func(t fleetTrouble) bool { return t.freezes }},
	{4, "can't see LOCKS", func(w *fleetWorld, _ int, r *replica) {
		w.stall(jets.BucketLocks)
		r.proxy.SetDeaf(true)
		time.AfterFunc(w.upTo(5*w.ttl), func() { r.proxy.SetDeaf(false) })
	}, nil},
	{3, "and all others lose their watches", func(w *fleetWorld, _ int, _ *replica) {
		w.stall(jets.BucketLocks)
		w.stall(jets.BucketIntegrations)
	}, nil},
	{3, "can't poll something", func(w *fleetWorld, _ int, r *replica) {
		r.cannot(w.tenants[w.rng.IntN(len(w.tenants))].name)
	}, nil},
	{5, "loses its way to an org", func(w *fleetWorld, _ int, r *replica) {
		host := w.orgs[w.rng.IntN(len(w.orgs))].host
		r.loses(host, true)
		if w.chance(0.5) { // else until it recovers
			time.AfterFunc(w.upTo(4*time.Minute), func() { r.loses(host, false) })
		}
	}, nil},
	{2, "and all others are woken", func(w *fleetWorld, _ int, _ *replica) {
		for _, t := range w.tenants {
			_ = w.admin.NATS.Publish(jets.SubjectWake(t.name), nil)
		}
	}, nil},
	{6, "- the server restarts", func(w *fleetWorld, _ int, _ *replica) {
		w.server.Stop()
		if w.chance(0.6) {
			time.Sleep(w.upTo(2 * w.ttl))
		}
		w.server.Start(w)
	}, nil},
	{4, "- an org is away", func(w *fleetWorld, _ int, _ *replica) {
		o := w.orgs[w.rng.IntN(len(w.orgs))]
		o.away.Store(true)
		time.AfterFunc(w.upTo(time.Minute), func() { o.away.Store(false) })
	}, nil},
	{8, "- others write", func(w *fleetWorld, _ int, r *replica) { w.meddle(r) }, func(t fleetTrouble) bool { return t.others }},
	{3, "- the server's store is full", func(w *fleetWorld, _ int, _ *replica) {
		w.fill(w.upTo(2 * w.ttl))
	}, func(t fleetTrouble) bool { return t.full }},
}

// injectFault injects one fault. If no replica runs, one is started instead.
func (w *fleetWorld) injectFault() {
	slot := w.rng.IntN(len(w.slots))
	r := w.slots[slot]
	if r == nil {
		w.slots[slot] = w.launch(w.name())
		w.log.Info("fault: " + w.slots[slot].name + " comes")
		return
	}
	all := 0
	for _, s := range fleetFaults {
		all += s.weight
	}
	n := w.rng.IntN(all)
	for _, s := range fleetFaults {
		if n -= s.weight; n >= 0 {
			continue
		}
		if s.may == nil || s.may(w.trouble) {
			w.log.Info("fault: " + r.name + " " + s.what)
			s.do(w, slot, r)
		}
		return
	}
}

func (w *fleetWorld) kill(slot int, r *replica) {
	r.kill()
	w.slots[slot] = nil
	if w.chance(0.5) { // by a restart, which goes on at once
		w.slots[slot] = w.launch(r.name)
	}
}

// stall takes the watches of a bucket away; the watchers hear nothing of it.
func (w *fleetWorld) stall(bucket string) {
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	stream, err := w.admin.JS.Stream(ctx, jets.BucketStream(bucket))
	if err != nil {
		return
	}
	for name := range stream.ConsumerNames(ctx).Name() {
		_ = stream.DeleteConsumer(ctx, name)
	}
}

// fleetStore is the size of the server's store.
const fleetStore = 32 << 20

// fill leaves no room in the server's store for a while.
func (w *fleetWorld) fill(d time.Duration) {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	js := w.admin.JS
	_, _ = js.CreateStream(ctx, jetstream.StreamConfig{Name: "BALLAST", Subjects: []string{"ballast"}})
	leave := uint64(w.rng.IntN(100 << 10)) // enough for a part of what comes next, perhaps
	for ctx.Err() == nil {
		info, err := js.AccountInfo(ctx)
		if err != nil || info.Store+leave+1<<10 >= fleetStore {
			break
		}
		room := fleetStore - info.Store - leave - 1<<10 // about what the stream keeps beside a message's data
		if _, err := js.Publish(ctx, "ballast", make([]byte, min(room, 4<<20))); err != nil {
			break
		}
	}
	time.Sleep(d)
	w.clear()
}

// clear makes room again.
func (w *fleetWorld) clear() {
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	_ = w.admin.JS.DeleteStream(ctx, "BALLAST")
}

// meddle is what others do to the buckets that the fleet goes by.
func (w *fleetWorld) meddle(r *replica) {
	w.misled = true
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	kv, err := w.admin.JS.KeyValue(ctx, jets.BucketLocks)
	if err != nil {
		return
	}
	key := jets.Key(sinktest.Kind.Name, w.tenants[w.rng.IntN(len(w.tenants))].name)
	switch w.rng.IntN(8) {
	case 0:
		_ = kv.Delete(ctx, key)
	case 1:
		_, _ = kv.Put(ctx, key, []byte(w.choose("", "{", `{"holder":"ghost","session":"x"}`, `{"holder":"`+r.name+`","session":"x"}`)))
	case 2:
		_ = kv.Delete(ctx, "session."+r.name)
	case 3:
		_, _ = kv.Put(ctx, "session."+r.name, []byte(w.choose("{", `{"id":"x"}`)))
	case 4:
		_, _ = kv.Put(ctx, "session.ghost", []byte(`{"id":"x"}`))
	case 5:
		_ = w.admin.JS.DeleteKeyValue(ctx, jets.BucketLocks)
	case 6:
		for i := range w.slots {
			if w.slots[i] == nil {
				w.slots[i] = w.launch(r.name) // one of the same name
			}
		}
	case 7:
		for _, t := range w.tenants {
			w.quiet(t)
			t.off = time.Time{}
		}
		_ = w.admin.JS.DeleteKeyValue(ctx, jets.BucketIntegrations) // all are gone, until they are written anew
	}
}
