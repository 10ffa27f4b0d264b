// Package pipeline is the domain of signal-client: events, pages and positions, the
// contract between a source and a sink, and the poller that takes pages from one to the
// other. It knows no NATS, no HTTP and no environment.
//
// Start reading at [Source] and [Sink], then [Runner.Run].
//
// # Glossary
//
// One term for one thing, in code, logs, metrics and documents alike.
//
//   - instance: one configured org, named by a slug ([a-z0-9][a-z0-9-]{0,62}).
//   - kind: what differs between the vendors of sources, such as Okta; see Kind.
//   - integration: the configuration of an instance, as INTEGRATIONS holds it.
//   - origin: scheme and host of an org, without a slash at the end.
//   - link: path and query of one request to the System Log; never a host.
//   - page: one answer of the org: its events in the org's own order, and the next link.
//   - full page: one with as many elements as its link requests; more events are waiting.
//     After a page that is not full, events may be waiting, too.
//   - head of the log: the end of it, where no events are waiting.
//   - poller: requests the pages of an instance and stores them; see Runner.
//   - position: the link that an instance's poller requests next, with a watermark. It is
//     stored in one transaction with the events before it.
//   - fence: the stream sequence of the newest position; a commit is accepted
//     only if it still is the newest.
//   - cursor: the copy of the newest position in the bucket CURSORS.
//   - recent ids: the uuids that a page is compared with before it is stored.
//   - sync: reading the truth back from the stream: at start, at takeover, and
//     after anything refused or doubtful.
//   - reopening: starting a new query from a time, because the org refused the
//     link or the filter changed.
//   - replica: one process that polls, under a name of its own.
//   - session: a replica's sign of life; it ends when it is not renewed.
//   - lock: names the session that may poll an instance. It saves requests; exactness does
//     not depend on it.
//   - holder: the replica whose session a lock names.
//   - handover: a live holder gives its instance to another replica.
//   - takeover: a replica gets the instance of a holder that has ended.
//   - decline: to leave an instance to other processes for a while.
//   - breaker: stops requests with a refused credential, or to a failing org, for a while.
//   - limiter: keeps requests within the org's budget.
//   - gate: bounds what a process has in use at once (requests, bytes of pages, open
//     batches); instances that are not draining have priority.
//   - draining: an instance is draining while more events wait after its last page.
//   - backoff: the growing wait between attempts.
//   - dead letter: an element of a page that can't be published.
//   - requeue: storing a dead letter as an event, once the server takes it.
//   - watermark: the time complete_through; all events that the org persisted up to it are
//     stored.
//   - span: a part of the past, by when its events were published.
//   - window: the part of a span that one query covers; of a rate limit, its minute.
//   - backfill: a job that stores an org's events of a span of the past.
//   - backlog: the past events that a poller is to store between its polls.
//   - audit: a comparison of an org's events of a span with the stored ones.
//   - repair: storing the events that an audit found missing.
//   - replay: output of stored events on standard output or another subject.
//
// # What it does not guarantee
//
// Locks don't make anything exact: two pollers of one instance cost requests, and the
// fence keeps them from storing an event twice. Exactness is the sink's; package signals
// says what it does not guarantee.
package pipeline
