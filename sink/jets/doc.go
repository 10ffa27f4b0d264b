// Package jets is the connection to NATS JetStream: it creates and checks the streams and
// buckets, reads from a stream's leader, watches buckets, and publishes atomic batches.
//
// It knows nothing of events, positions or locks: these have packages of their own
// (signals, locks, buckets, deadletters, scan, republish, overview).
//
// Start reading at [Dialer.Connect] and [Open]; then [Conn.Last] (leader reads),
// [Store.Follow] (watches) and [Publisher] (atomic batches).
//
// # What is stored where
//
//   - Stream SIGNALS: the events of an instance on signals.<kind>.<instance> and its
//     positions on signal-cursor.<kind>.<instance>, in one order.
//   - Stream DEADLETTER: elements that could not be published, on
//     deadletter.<kind>.<instance>.
//   - Bucket CURSORS: a copy of each newest position, for readers, and in case the stream
//     has no position any more. It may be one page behind.
//   - Bucket INTEGRATIONS: the instances to poll; watched.
//   - Bucket LOCKS: which process polls what, and which processes are alive.
//   - Bucket STATUS: the status of each instance; for people only.
//   - Bucket BACKFILLS: the jobs that read the past, and their progress.
//   - Bucket BUDGETS: what is left of the orgs' rate limits, for two minutes; nothing
//     depends on it.
//
// # Two sites
//
// A connection between two sites (a leaf node, an import, a mapping) may carry messages
// published at one site to the stream of the other, and both answer.
//
//   - An acknowledgement names its stream and domain. One from another stream or domain
//     says nothing about ours: the outcome is in doubt, and a sync follows.
//   - Each new stream begins at a random sequence above the least that old fences allow,
//     so that one site's fences do not fit the other's stream.
//
// # Why not jetstreamext
//
// The batch publisher of orbit.go/jetstreamext (v0.3.2) awaits the first message's ack
// without a context and commits over whatever connection there is by then, so a commit
// could not be bound to the connection of its sync; its one-call form also holds all
// messages of a page at once. Its GetBatch may be answered by a stale replica and takes
// one subject filter; decisions need the leader, and scans several filters.
package jets
