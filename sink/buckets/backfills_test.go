package buckets

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// Jobs are written by compare-and-set, fit their schema, and reach those who watch, the
// oldest of an instance first; a job that can't be read is reported as such.
func TestBackfills(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	all := &Backfills{Store: st.Store}
	now := time.Now()
	job, err := backfill.NewJob(sinktest.Kind, "20261122-0001", "prod", now.Add(-48*time.Hour), now.Add(-24*time.Hour), 0, now)
	st.OK(err)
	revision, err := all.Put(t.Context(), job, 0)
	st.OK(err)
	if _, err := all.Put(t.Context(), job, 0); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("a job over another: %v", err)
	}
	later := job
	later.ID, later.CreatedAt = "20261122-0000", job.CreatedAt.Add(time.Second)
	_, err = all.Put(t.Context(), later, 0)
	st.OK(err)
	job.State, job.StartedAt, job.LastError, job.Holder = backfill.JobRunning, now, "busy", "one"
	_, err = all.Put(t.Context(), job, revision)
	st.OK(err)
	st.Write(jets.BucketSubject(jets.BucketBackfills, "okta.prod.newer"), `{"version":99}`)
	st.Write(jets.BucketSubject(jets.BucketBackfills, "other.thing"), `{}`)
	st.OK(schemas.Validate("backfill", jets.Encode(job)))

	kept, err := all.All(t.Context())
	st.OK(err)
	if len(kept) != 3 || kept[0].ID != "newer" || !errors.Is(kept[0].Err, pipeline.ErrNewer) || kept[1].ID != job.ID || kept[1].State != backfill.JobRunning || kept[2].ID != later.ID {
		t.Errorf("%+v", kept)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_ = all.Watch(ctx, func(jobs map[string][]KeptJob) {
		if list := jobs["okta.prod"]; len(list) == 3 && list[1].ID == job.ID && list[1].Revision == kept[1].Revision {
			cancel()
		}
	})
}
