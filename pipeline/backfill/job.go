package backfill

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// JobVersion is the highest job version that this program understands.
const JobVersion = 1

// JobState is the progress of a backfill.
type JobState string

const (
	JobWaiting   JobState = "waiting"   // for the instance's holder, or for an earlier job
	JobRunning   JobState = "running"   // working between the instance's polls
	JobDone      JobState = "done"      // the whole span has been requested and stored
	JobCancelled JobState = "cancelled" // stored events remain
)

// Job is a backfill: it stores the events that an org published in a span of the past and
// that are not stored yet. It is a value of the bucket BACKFILLS.
type Job struct {
	Kind     *pipeline.Kind `json:"-"` // of the instance
	Version  int            `json:"version"`
	ID       string         `json:"id"`
	Instance string         `json:"instance"`
	Since    time.Time      `json:"since"` // start of the span, included
	Until    time.Time      `json:"until"` // end of the span, excluded
	Share    float64        `json:"share"` // share of the org's limit that its requests keep to
	State    JobState       `json:"state"`

	DoneThrough   time.Time `json:"done_through"`         // everything published before it is stored
	WindowSeconds float64   `json:"window_seconds"`       // length of the next window, adapted to the density of events
	Windows       uint64    `json:"windows"`              // windows completed
	Pages         uint64    `json:"pages"`                // pages requested
	Events        uint64    `json:"events"`               // events in those pages
	Stored        uint64    `json:"stored"`               // events that were not stored before
	DeadLetters   uint64    `json:"dead_letters"`         // events that can't be published
	LeftSeconds   float64   `json:"left_seconds"`         // estimated time left; 0: not known, or ended
	Holder        string    `json:"holder"`               // the replica that runs it
	LastError     string    `json:"last_error,omitempty"` // in words; empty after a success
	CreatedAt     time.Time `json:"created_at"`           // when it was requested
	StartedAt     time.Time `json:"started_at,omitzero"`  // when its first window was requested
	EndedAt       time.Time `json:"ended_at,omitzero"`    // when it completed or was cancelled
	UpdatedAt     time.Time `json:"updated_at"`           // when this value was written
}

// DefaultJobShare is a backfill's default share of the org's limit. It is below the live
// poll's, so that the live poll goes first.
const DefaultJobShare = 0.3

// Ended reports whether nothing is left to do.
func (j *Job) Ended() bool { return j.State == JobDone || j.State == JobCancelled }

// Anew returns the job as it was before its first window, for a stream that has lost what
// it stored. An ended one stays as it is.
func (j *Job) Anew() Job {
	if j.Ended() {
		return *j
	}
	return Job{Kind: j.Kind, Version: j.Version, ID: j.ID, Instance: j.Instance, Since: j.Since, Until: j.Until, Share: j.Share, State: JobWaiting,
		DoneThrough: j.Since, WindowSeconds: firstWindow.Seconds(), CreatedAt: j.CreatedAt, UpdatedAt: j.UpdatedAt}
}

// Left estimates the time left from the speed so far; zero: not known yet.
func (j *Job) Left(now time.Time) time.Duration {
	done, left := j.DoneThrough.Sub(j.Since), j.Until.Sub(j.DoneThrough)
	if j.Ended() || j.StartedAt.IsZero() || done <= 0 {
		return 0
	}
	return time.Duration(float64(now.Sub(j.StartedAt)) * float64(left) / float64(done))
}

// NewJob returns a backfill of a span, cut to milliseconds as requests are. share 0 is
// DefaultJobShare. Its errors name the wrong value.
func NewJob(kind *pipeline.Kind, id, instance string, since, until time.Time, share float64, now time.Time) (Job, error) {
	since, until = since.UTC().Truncate(time.Millisecond), until.UTC().Truncate(time.Millisecond)
	switch {
	case !since.Before(until):
		return Job{}, fmt.Errorf("since %s is not before until %s", since.Format(time.RFC3339), until.Format(time.RFC3339))
	case until.After(now):
		return Job{}, fmt.Errorf("until %s is in the future; the live poll stores new events", until.Format(time.RFC3339))
	case share < 0 || share > 1:
		return Job{}, errors.New("share must be above 0 and at most 1")
	case until.Before(now.Add(-kind.Retention)):
		return Job{}, fmt.Errorf("until %s: %s", until.Format(time.RFC3339), kind.Keeps())
	}
	since = kind.Clamp(since, now).Truncate(time.Millisecond)
	return Job{Kind: kind, Version: JobVersion, ID: id, Instance: instance, Since: since, Until: until, Share: cmp.Or(share, DefaultJobShare), State: JobWaiting,
		DoneThrough: since, WindowSeconds: firstWindow.Seconds(), CreatedAt: now.UTC(), UpdatedAt: now.UTC()}, nil
}
