package pipeline

import (
	"errors"
	"fmt"
	"time"
)

// JobVersion is the highest version of a job that this program understands.
const JobVersion = 1

// JobState is how far a backfill is.
type JobState string

const (
	JobWaiting   JobState = "waiting"   // for its instance's holder, or for the job before it
	JobRunning   JobState = "running"   // between the polls of its instance
	JobDone      JobState = "done"      // all of its span was asked for and is stored
	JobCancelled JobState = "cancelled" // what it stored stays
)

// Job is a backfill: the events that an org published in a span of the past are
// to be stored, as far as they are not. It is a value of the bucket BACKFILLS.
type Job struct {
	Version  int       `json:"version"`
	ID       string    `json:"id"`
	Instance string    `json:"instance"`
	Since    time.Time `json:"since"` // the span: published at or after
	Until    time.Time `json:"until"` // and before
	Share    float64   `json:"share"` // of the org's limit that its requests keep to
	State    JobState  `json:"state"`

	DoneThrough   time.Time `json:"done_through"`         // all that was published before is stored
	WindowSeconds float64   `json:"window_seconds"`       // length of the next window, fit to how dense the events are
	Windows       uint64    `json:"windows"`              // done
	Pages         uint64    `json:"pages"`                // asked for
	Events        uint64    `json:"events"`               // seen in them
	Stored        uint64    `json:"stored"`               // of those; the others were stored already
	DeadLetters   uint64    `json:"dead_letters"`         // of those that can't be published
	LeftSeconds   float64   `json:"left_seconds"`         // that it will go on, by how fast it came to where it is; 0: not known, or over
	Holder        string    `json:"holder"`               // the replica that works on it
	LastError     string    `json:"last_error,omitempty"` // in words; empty after a success
	CreatedAt     time.Time `json:"created_at"`           // when it was asked for
	StartedAt     time.Time `json:"started_at,omitzero"`  // when its first window was asked for
	EndedAt       time.Time `json:"ended_at,omitzero"`    // when it was done or cancelled
	UpdatedAt     time.Time `json:"updated_at"`           // when this was written
}

// DefaultJobShare is the share of an org's limit that a backfill keeps to unless
// it is told otherwise. The live poll has more, so it goes first.
const DefaultJobShare = 0.3

// Ended reports whether nothing is left to do.
func (j *Job) Ended() bool { return j.State == JobDone || j.State == JobCancelled }

// Left estimates how long the job goes on, by how fast it came to where it is;
// zero when nothing can be said yet.
func (j *Job) Left(now time.Time) time.Duration {
	done, left := j.DoneThrough.Sub(j.Since), j.Until.Sub(j.DoneThrough)
	if j.Ended() || j.StartedAt.IsZero() || done <= 0 {
		return 0
	}
	return time.Duration(float64(now.Sub(j.StartedAt)) * float64(left) / float64(done))
}

// NewJob makes a backfill of a span, cut to milliseconds, which is how requests
// name times. share 0 is DefaultJobShare. Its errors name what is wrong.
func NewJob(id, instance string, since, until time.Time, share float64, now time.Time) (Job, error) {
	since, until = since.UTC().Truncate(time.Millisecond), until.UTC().Truncate(time.Millisecond)
	switch {
	case !since.Before(until):
		return Job{}, fmt.Errorf("since %s is not before until %s", since.Format(time.RFC3339), until.Format(time.RFC3339))
	case until.After(now):
		return Job{}, fmt.Errorf("until %s is in the future; the live poll brings what is to come", until.Format(time.RFC3339))
	case share < 0 || share > 1:
		return Job{}, errors.New("share must be above 0, and 1 at most")
	case until.Before(now.Add(-Retention)):
		return Job{}, fmt.Errorf("until %s: Okta keeps 90 days", until.Format(time.RFC3339))
	}
	since = Clamp(since, now).Truncate(time.Millisecond)
	if share == 0 {
		share = DefaultJobShare
	}
	return Job{Version: JobVersion, ID: id, Instance: instance, Since: since, Until: until, Share: share, State: JobWaiting,
		DoneThrough: since, WindowSeconds: firstWindow.Seconds(), CreatedAt: now.UTC(), UpdatedAt: now.UTC()}, nil
}
