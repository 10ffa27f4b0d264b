package jets

// Streams and buckets. A bucket B is the stream KV_B.
const (
	StreamSignals    = "SIGNALS"
	StreamDeadLetter = "DEADLETTER"

	BucketIntegrations = "INTEGRATIONS"
	BucketCursors      = "CURSORS"
	BucketLocks        = "LOCKS"
	BucketStatus       = "STATUS"
	BucketBudgets      = "BUDGETS"
	BucketBackfills    = "BACKFILLS"
)

// keyPrefix is that of an instance's key in every bucket, and of an org's in BUDGETS.
const keyPrefix = "okta."

// sessionPrefix is that of a replica's key in LOCKS.
const sessionPrefix = "session."

// SubjectEvents is where an instance's events are published.
func SubjectEvents(instance string) string { return "signals.okta." + instance }

// SubjectPosition is where an instance's positions are published.
func SubjectPosition(instance string) string { return "signal-cursor.okta." + instance }

// SubjectDeadLetter is where what could not be published of an instance is kept.
func SubjectDeadLetter(instance string) string { return "deadletter.okta." + instance }

// SubjectWake is where whoever polls an instance is told, by an empty message of
// core NATS, to sync and poll at once. It is a hint: nothing depends on it.
func SubjectWake(instance string) string { return "signal-client.wake." + instance }

// SubjectReplicas is where every replica answers how its instances are doing.
const SubjectReplicas = "signal-client.status"

// SubjectReplica is where one replica does.
func SubjectReplica(replica string) string { return SubjectReplicas + "." + replica }

// SubjectAdvisory is where it is told, by core NATS, that something has happened to
// an instance.
func SubjectAdvisory(kind, instance string) string {
	return "signal-client.advisory." + kind + "." + instance
}

// Key is an instance's key in every bucket.
func Key(instance string) string { return keyPrefix + instance }

// BucketStream is the stream that holds a bucket.
func BucketStream(bucket string) string { return "KV_" + bucket }

// BucketSubject is the subject on which a bucket holds a key.
func BucketSubject(bucket, key string) string { return "$KV." + bucket + "." + key }

// PutSubject is the subject to publish a key's value to: BucketSubject, unless
// the bucket is reached by way of another JetStream domain.
func (c *Conn) PutSubject(bucket, key string) string {
	if c.APIPrefix == defaultPrefix {
		return BucketSubject(bucket, key)
	}
	return c.APIPrefix + "." + BucketSubject(bucket, key)
}
