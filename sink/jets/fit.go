package jets

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// fitAny refuses a stream, made by someone else, that does not keep what is
// published to it until its limits.
func fitAny(c jetstream.StreamConfig) error {
	switch {
	case c.Mirror != nil:
		return errors.New("it is a mirror and takes no messages; connect to where its origin is, or remove the mirror")
	case c.Sealed:
		return errors.New("it is sealed; move it aside (nats stream backup, nats stream rm)")
	case c.NoAck:
		return errors.New("it has no_ack, so nobody would know what is stored; set no_ack to false")
	case c.Retention != jetstream.LimitsPolicy:
		return fmt.Errorf("its retention is %v, so consumers remove messages; it must be limits, which only a new stream can be given", c.Retention)
	case c.PersistMode == jetstream.AsyncPersistMode:
		return errors.New("its persist_mode is async, which acks what is not stored; it must be default, which only a new stream can be given")
	case c.AllowMsgCounter:
		return errors.New("it is a stream of counters; only a new stream can be another")
	case c.SubjectTransform != nil:
		return errors.New("it has a subject_transform, so messages are not found where they were published; remove it")
	case c.DiscardNewPerSubject:
		return errors.New("it has discard_new_per_subject, so a subject that is full takes no more; set it to false")
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

// doubtSignals says what works, but not for long or not for everything.
func (s *Store) doubtSignals(c jetstream.StreamConfig) []string {
	var doubts []string
	doubt := func(when bool, format string, args ...any) {
		if when {
			doubts = append(doubts, fmt.Sprintf(format, args...))
		}
	}
	doubt(c.Storage == jetstream.MemoryStorage, "storage is memory: a restart of the server loses everything")
	doubt(c.MaxBytes > 0 && c.MaxBytes < LeastBytes, "max_bytes %d holds less than a few pages, and positions are evicted along with events", c.MaxBytes)
	doubt(c.MaxAge > 0 && c.MaxAge < 24*time.Hour, "max_age %v: an instance that rests for longer loses its position, and its cursor must do", c.MaxAge)
	doubt(c.Discard == jetstream.DiscardNew && (c.MaxBytes > 0 || c.MaxMsgs > 0), "discard is new: once full it takes no more events, and every instance stops")
	doubt(c.MaxMsgSize > 0 && c.MaxMsgSize < 1<<20, "max_msg_size %d: larger events become dead letters", c.MaxMsgSize)
	doubt(s.config.MaxBytes > 0 && c.MaxBytes != s.config.MaxBytes, "max_bytes is %d and not %d as configured: what exists is left as it is (nats stream edit)", c.MaxBytes, s.config.MaxBytes)
	return append(doubts, s.doubtAge(c)...)
}

// doubtAge says that a stream keeps its messages for another time than was asked for.
// The default asks for no less than what is there.
func (s *Store) doubtAge(c jetstream.StreamConfig) []string {
	asked := s.config.MaxAge
	shorter := c.MaxAge > 0 && c.MaxAge < asked
	longer := (c.MaxAge == 0 || c.MaxAge > asked) && asked != defaultAge && asked < century
	if !shorter && !longer {
		return nil
	}
	return []string{fmt.Sprintf("max_age is %s and not %s as configured: what exists is left as it is (nats stream edit %s --max-age=%s)",
		ageText(c.MaxAge), ageText(asked), c.Name, ageFlag(asked))}
}

// century is an age that nothing in a stream comes to.
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

// ageFlag is an age as the nats command takes it.
func ageFlag(age time.Duration) string {
	if age >= century {
		return "0s"
	}
	return ageText(age)
}

// doubtLetters says when dead letters are lost.
func (s *Store) doubtLetters(c jetstream.StreamConfig) []string {
	doubts := s.doubtAge(c)
	if c.Discard == jetstream.DiscardNew && (c.MaxBytes > 0 || c.MaxMsgs > 0) {
		doubts = append(doubts, "discard is new: once full it takes no more dead letters, and each one after that is lost")
	}
	return doubts
}

func fitLocks(c jetstream.StreamConfig) error {
	if err := fitAny(c); err != nil {
		return err
	}
	if c.MaxMsgsPerSubject != 1 {
		return fmt.Errorf("its history is %d: with more than 1 the server lengthens a session's TTL; remove the bucket, it will be made anew", c.MaxMsgsPerSubject)
	}
	return nil
}
