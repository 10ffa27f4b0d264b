package buckets

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/jets"
)

// Backfills stores jobs in the bucket BACKFILLS, for the process that polls their
// instance.
type Backfills struct {
	Store *jets.Store
}

// KeptJob is a stored job with its revision.
type KeptJob struct {
	backfill.Job
	Revision uint64
	Err      error // why it can't be read (then only Kind, Instance and ID are set); nil: it can
}

// backfillKey returns a job's key: <kind>.<instance>.<id>.
func backfillKey(j *backfill.Job) string { return jets.Key(j.Kind.Name, j.Instance) + "." + j.ID }

// Watch calls changed with all jobs by their instances' keys, the oldest first: at the
// start and after each change. It returns when ctx ends.
func (b *Backfills) Watch(ctx context.Context, changed func(map[string][]KeptJob)) error {
	var jobs map[string]KeptJob
	return b.Store.Follow(ctx, jets.BucketBackfills, ">", jets.View{
		Fresh: func() { jobs = map[string]KeptJob{} },
		Entry: func(e jets.KVEntry) {
			if e.Gone {
				delete(jobs, e.Key)
			} else if j, ours := readJob(b.Store, e); ours {
				jobs[e.Key] = j
			}
		},
		Settled: func() {
			byInstance := map[string][]KeptJob{}
			for _, j := range jobs {
				key := jets.Key(j.Kind.Name, j.Instance)
				byInstance[key] = append(byInstance[key], j)
			}
			for _, list := range byInstance {
				slices.SortFunc(list, older)
			}
			changed(byInstance)
		},
		Ended: func() {},
	})
}

// All reads the jobs once, the oldest first. A bucket that does not exist is empty.
func (b *Backfills) All(ctx context.Context) ([]KeptJob, error) {
	var all []KeptJob
	err := b.Store.Conn.Each(ctx, jets.BucketBackfills, ">", false, func(e jets.KVEntry) {
		if j, ours := readJob(b.Store, e); ours && !e.Gone {
			all = append(all, j)
		}
	})
	slices.SortFunc(all, older)
	return all, err
}

func older(a, b KeptJob) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
}

func readJob(store *jets.Store, e jets.KVEntry) (KeptJob, bool) {
	kind, name := store.InstanceOf(e.Key)
	instance, id, two := strings.Cut(name, ".")
	if !two {
		return KeptJob{}, false
	}
	k := KeptJob{Revision: e.Revision}
	if k.Err = json.Unmarshal(e.Value, &k.Job); k.Err == nil && k.Version > backfill.JobVersion {
		k.Err = fmt.Errorf("backfill version %d: %w", k.Version, pipeline.ErrNewer)
	}
	if k.Err != nil {
		k.Job = backfill.Job{}
	}
	k.Kind, k.Instance, k.ID = kind, instance, id
	return k, true
}

// Put writes a job if its key still has the revision; 0: if it was never written. It
// returns the new revision. Its error matches pipeline.ErrChanged when somebody else has
// written meanwhile.
func (b *Backfills) Put(ctx context.Context, j backfill.Job, revision uint64) (uint64, error) {
	return b.Store.Conn.Put(ctx, jets.BucketBackfills, backfillKey(&j), revision, &nats.Msg{Data: jets.Encode(j)})
}
