package jets

import "strings"

// Names of streams and buckets. A bucket B is the stream KV_B.
const (
	StreamSignals    = "SIGNALS"
	StreamDeadLetter = "DEADLETTER"

	BucketIntegrations = "INTEGRATIONS"
	BucketCursors      = "CURSORS"
	BucketLocks        = "LOCKS"
	BucketStatus       = "STATUS"
	BucketBudgets      = "BUDGETS"
	BucketBackfills    = "BACKFILLS"
	BucketConsole      = "CONSOLE"
	BucketChanges      = "CHANGES"
	BucketHistory      = "HISTORY"

	BucketNotifications = "NOTIFICATIONS"
	BucketNotified      = "NOTIFIED"
)

// Names of an instance contain its kind's name, see pipeline.Kind.

// SubjectEvents returns the subject of an instance's events.
func SubjectEvents(kind, instance string) string { return "signals." + kind + "." + instance }

// SubjectPosition returns the subject of an instance's positions.
func SubjectPosition(kind, instance string) string { return "signal-cursor." + kind + "." + instance }

// SubjectDeadLetter returns the subject of an instance's dead letters.
func SubjectDeadLetter(kind, instance string) string { return "deadletter." + kind + "." + instance }

// SubjectWake returns the core NATS subject on which an empty message tells the poller of
// an instance to sync and poll at once. It is a hint: nothing depends on it.
func SubjectWake(instance string) string { return "signal-client.wake." + instance }

// SubjectReplicas is where every replica answers with the statuses of its instances.
const SubjectReplicas = "signal-client.status"

// SubjectReplica returns the same subject for one replica.
func SubjectReplica(replica string) string { return SubjectReplicas + "." + replica }

// SubjectAdvisory returns the core NATS subject of an advisory about an instance.
func SubjectAdvisory(kind, instance string) string {
	return "signal-client.advisory." + kind + "." + instance
}

// Key returns an instance's key in every bucket.
func Key(kind, instance string) string { return kind + "." + instance }

// mostKey bounds a key: a NATS server ends the connection of who sends it a longer line
// than 4 KiB.
const mostKey = 1024

// IsKey reports whether a text names one key of a bucket. Users type names of instances,
// and as a subject "*" would be any of them.
func IsKey(text string) bool {
	return text != "" && len(text) <= mostKey && !strings.ContainsAny(text, "*> \t\r\n\x00") &&
		!strings.HasPrefix(text, ".") && !strings.HasSuffix(text, ".") && !strings.Contains(text, "..")
}

// BucketStream returns the stream of a bucket.
func BucketStream(bucket string) string { return "KV_" + bucket }

// BucketSubject returns the subject of a bucket's key.
func BucketSubject(bucket, key string) string { return "$KV." + bucket + "." + key }

// PutSubject returns the subject to publish a key's value to: BucketSubject, unless the
// bucket is in another JetStream domain.
func (c *Conn) PutSubject(bucket, key string) string {
	if c.APIPrefix == defaultPrefix {
		return BucketSubject(bucket, key)
	}
	return c.APIPrefix + "." + BucketSubject(bucket, key)
}
