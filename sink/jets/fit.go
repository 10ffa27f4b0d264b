package jets

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// fitAny refuses an existing stream that does not keep every message until its limits.
func fitAny(c jetstream.StreamConfig) error {
	switch {
	case c.Mirror != nil:
		return errors.New("it is a mirror and takes no messages; connect to where its origin is, or remove the mirror")
	case c.Sealed:
		return errors.New("it is sealed; move it away (nats stream backup, nats stream rm)")
	case c.NoAck:
		return errors.New("it has no_ack, so no publish is confirmed; set no_ack to false")
	case c.Retention != jetstream.LimitsPolicy:
		return fmt.Errorf("its retention is %v, so consumers remove messages; it must be limits, which only a new stream can be given", c.Retention)
	case c.PersistMode == jetstream.AsyncPersistMode:
		return errors.New("its persist_mode is async, which acknowledges messages before they are stored; it must be default, which only a new stream can be given")
	case c.AllowMsgCounter:
		return errors.New("it is a stream of counters (allow_msg_counter); move it away, its kind can't be changed")
	case c.SubjectTransform != nil:
		return errors.New("it has a subject_transform, so messages are not found on the subject they were published to; remove it")
	case c.DiscardNewPerSubject:
		return errors.New("it has discard_new_per_subject, so a full subject refuses messages; set it to false")
	}
	return nil
}

func fitSignals(c jetstream.StreamConfig) error {
	if err := fitAny(c); err != nil {
		return err
	}
	switch {
	case few(c.MaxMsgsPerSubject):
		return fmt.Errorf("max_msgs_per_subject %d holds less than a few pages; raise it to at least %d, or to -1", c.MaxMsgsPerSubject, leastMessages)
	case few(c.MaxMsgs):
		return fmt.Errorf("max_msgs %d holds less than a few pages; raise it to at least %d, or to -1", c.MaxMsgs, leastMessages)
	case c.MaxMsgSize > 0 && c.MaxMsgSize < 64<<10:
		return fmt.Errorf("max_msg_size %d is less than common events need; raise it to at least %d, or to -1", c.MaxMsgSize, 64<<10)
	}
	return nil
}

func few(limit int64) bool { return limit > 0 && limit < leastMessages }

// doubtSignals warns of a configuration that works, but not for long or for every event.
func (s *Store) doubtSignals(c jetstream.StreamConfig) []string {
	var doubts []string
	doubt := func(when bool, format string, args ...any) {
		if when {
			doubts = append(doubts, fmt.Sprintf(format, args...))
		}
	}
	doubt(c.Storage == jetstream.MemoryStorage, "storage is memory: a restart of the server loses everything")
	doubt(c.MaxBytes > 0 && c.MaxBytes < LeastBytes, "max_bytes %d holds less than a few pages, and positions are evicted along with events", c.MaxBytes)
	doubt(c.MaxAge > 0 && c.MaxAge < 24*time.Hour, "max_age %v: an instance that rests longer loses its position and depends on CURSORS", c.MaxAge)
	doubt(c.Discard == jetstream.DiscardNew && (c.MaxBytes > 0 || c.MaxMsgs > 0), "discard is new: once full it refuses events, and every instance stops")
	doubt(c.MaxMsgSize > 0 && c.MaxMsgSize < 1<<20, "max_msg_size %d: larger events become dead letters", c.MaxMsgSize)
	doubt(s.config.MaxBytes > 0 && c.MaxBytes != s.config.MaxBytes, "max_bytes is %d and not %d as configured: existing streams are left unchanged (nats stream edit)", c.MaxBytes, s.config.MaxBytes)
	return append(doubts, s.doubtAge(c)...)
}

// doubtAge warns of a stream that keeps its messages for another time than configured.
// The default configuration accepts a longer time.
func (s *Store) doubtAge(c jetstream.StreamConfig) []string {
	asked := s.config.MaxAge
	shorter := c.MaxAge > 0 && c.MaxAge < asked
	longer := (c.MaxAge == 0 || c.MaxAge > asked) && asked != defaultAge && asked < century
	if !shorter && !longer {
		return nil
	}
	return []string{fmt.Sprintf("max_age is %s and not %s as configured: existing streams are left unchanged (nats stream edit %s --max-age=%s)",
		ageText(c.MaxAge), ageText(asked), c.Name, ageFlag(asked))}
}

// century is longer than any stream keeps anything.
const century = 100 * 365 * 24 * time.Hour

func ageText(age time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case age == 0 || age >= century:
		return "unlimited"
	case age%day == 0:
		return fmt.Sprintf("%dd", age/day)
	}
	return age.String()
}

// ageFlag formats an age for the nats command.
func ageFlag(age time.Duration) string {
	if age >= century {
		return "0s"
	}
	return ageText(age)
}

// doubtLetters warns of a configuration that loses dead letters.
func (s *Store) doubtLetters(c jetstream.StreamConfig) []string {
	doubts := s.doubtAge(c)
	if c.Discard == jetstream.DiscardNew && (c.MaxBytes > 0 || c.MaxMsgs > 0) {
		doubts = append(doubts, "discard is new: once full it refuses dead letters, and they are lost")
	}
	return doubts
}

func fitLocks(c jetstream.StreamConfig) error {
	if err := fitAny(c); err != nil {
		return err
	}
	if c.MaxMsgsPerSubject != 1 {
		return fmt.Errorf("its history is %d: with more than 1 the server extends a session's TTL; remove the bucket, it will be created again", c.MaxMsgsPerSubject)
	}
	return nil
}
