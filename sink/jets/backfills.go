package jets

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
)

// Backfills stores jobs in the bucket BACKFILLS, for the process that polls their
// instance.
type Backfills struct {
	Store *Store
}

// KeptJob is a stored job with its revision.
type KeptJob struct {
	backfill.Job
	Revision uint64
	Err      error // why it can't be read (then only Instance and ID are set); nil: it can
}

// backfillKey returns a job's key: okta.<instance>.<id>.
func backfillKey(j *backfill.Job) string { return Key(j.Instance) + "." + j.ID }

// Watch calls changed with all jobs, the oldest of an instance first: at the start and
// after each change. It returns when ctx ends.
func (b *Backfills) Watch(ctx context.Context, changed func(map[string][]KeptJob)) error {
	var jobs map[string]KeptJob
	return b.Store.follow(ctx, BucketBackfills, ">", view{
		fresh: func() { jobs = map[string]KeptJob{} },
		entry: func(e kvEntry) {
			if e.gone {
				delete(jobs, e.key)
			} else if j, ours := readJob(e); ours {
				jobs[e.key] = j
			}
		},
		settled: func() {
			byInstance := map[string][]KeptJob{}
			for _, j := range jobs {
				byInstance[j.Instance] = append(byInstance[j.Instance], j)
			}
			for _, list := range byInstance {
				slices.SortFunc(list, older)
			}
			changed(byInstance)
		},
		ended: func() {},
	})
}

// All reads the jobs once, the oldest first. A bucket that does not exist is empty.
func (b *Backfills) All(ctx context.Context) ([]KeptJob, error) {
	var all []KeptJob
	err := b.Store.Conn.each(ctx, BucketBackfills, ">", false, func(e kvEntry) {
		if j, ours := readJob(e); ours && !e.gone {
			all = append(all, j)
		}
	})
	slices.SortFunc(all, older)
	return all, err
}

func older(a, b KeptJob) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
}

func readJob(e kvEntry) (KeptJob, bool) {
	name, ours := strings.CutPrefix(e.key, keyPrefix)
	instance, id, two := strings.Cut(name, ".")
	if !ours || !two {
		return KeptJob{}, false
	}
	k := KeptJob{Revision: e.revision}
	if k.Err = json.Unmarshal(e.value, &k.Job); k.Err == nil && k.Version > backfill.JobVersion {
		k.Err = fmt.Errorf("backfill version %d: %w", k.Version, pipeline.ErrNewer)
	}
	if k.Err != nil {
		k.Job = backfill.Job{}
	}
	k.Instance, k.ID = instance, id
	return k, true
}

// Put writes a job if its key still has the revision; 0: if it was never written. It
// returns the new revision. Its error matches pipeline.ErrChanged when somebody else has
// written meanwhile.
func (b *Backfills) Put(ctx context.Context, j backfill.Job, revision uint64) (uint64, error) {
	return b.Store.Conn.put(ctx, BucketBackfills, backfillKey(&j), revision, &nats.Msg{Data: encode(j), Header: nats.Header{}})
}
