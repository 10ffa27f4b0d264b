// Package pipeline is the domain of signal-client: what an event, a page and a
// position are, what a source and a sink promise each other, and the loops that
// carry pages from one to the other. It knows no NATS, no HTTP and no
// environment.
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
//   - full page: one with as many elements as its link asked for; more is waiting. One
//     that is not full says nothing about that.
//   - head of the log: where nothing is waiting.
//   - position: where an instance stands: the link to ask for next, with a
//     watermark. It is stored in one transaction with the events before it.
//   - fence: the stream sequence of the newest position; a commit is accepted
//     only if it still is the newest.
//   - cursor: the copy of the newest position in the bucket CURSORS.
//   - recent ids: the uuids that a page is compared with before it is stored.
//   - sync: reading the truth back from the stream: at start, at takeover, and
//     after anything refused or doubtful.
//   - reopening: starting a new query from a time, since the org refused the
//     link or the filter changed.
//   - lock, session, holder: who may poll an instance; it saves quota, never exactness.
//   - handover: a holder that lives gives its instance to another process.
//   - takeover: a process gets the instance of a holder that has ended.
//   - decline: to leave an instance to other processes for a while.
//   - breaker: keeps a refused credential or a failing org from being hammered.
//   - limiter: keeps requests within the org's budget.
//   - gate: keeps what a process has in use at once (requests, bytes of pages,
//     open batches) within a bound; those who drain go after those who don't.
//   - draining: more was waiting after its last page.
//   - backoff: the growing wait between attempts.
//   - dead letter: an element of a page that can't be published.
//   - requeue: storing a dead letter as an event, once the server takes it.
//   - watermark: complete_through: all that the org persisted up to that time is stored.
//   - span: a stretch of the past, by when its events were published.
//   - window: the part of a span that is asked for at once; of a rate limit, its minute.
//   - backfill: a job that brings events of the past from the org into the stream.
//   - backlog: what of the past a runner is to store between its polls.
//   - audit: what the org shows of a span held against what is stored of it.
//   - repair: storing what an audit found missing.
//   - replay: stored events again, out of the stream.
//
// # What it does not guarantee
//
// Locks don't make anything exact: two runners on one instance cost requests,
// and the fence keeps them from storing an event twice. Exactness is
// the sink's; see package signals for what remains.
package pipeline
