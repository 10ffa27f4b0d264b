// Package signals is the commit protocol: it stores the events of each instance exactly
// once, and with each page the position after it.
//
// Package jets creates and reads the streams; package locks decides which process polls an
// instance. This package does not depend on that: any number of writers may try to store
// the events of one instance, and the fences keep it exact.
//
// Start reading at [Sink.Commit] and [Sink.Sync]. An [Operator] moves an instance by
// hand, a [Ledger] shows what is stored to an audit.
//
// # The protocol
//
// A page is one atomic batch: its events and, last, the position after them. A restart
// finds both or neither. The batch has two fences. The position expects the sequence of
// the newest position: no other writer has moved it. The first event expects the sequence
// of the newest event that the recent ids cover: every stored event has been compared
// with this page. The second fence covers deleted and rolled-back positions, after which
// an old fence of the first kind may fit again. The server judges both at commit, so
// exactness needs no lock, clock or duplicate window.
//
// Sync reads the truth back: at start, at takeover, after any refusal or doubt, and after
// a change of configuration. It alone sets position, fences, recent ids and the revision
// of CURSORS.
//
//   - The newest position in the stream is the truth, whatever CURSORS says. A position
//     that can't be read is skipped, but its sequence stays the fence.
//   - If the stream has no position and CURSORS has one: if its place in the stream is
//     empty, or the stream is another one, an operator purged, and sync continues from
//     CURSORS. If anything else is at that place, or the stream ends before it,
//     acknowledged data is lost: this is reported, the watermark moves back, and the
//     query starts again at since.
//   - If neither has a position, it is a fresh start.
//   - Invariant: the fence is never 0, which every newcomer could guess. If there is no
//     position, sync writes one before anything else.
//   - Events above the newest position mean that a position was deleted or that a foreign
//     client writes there. Sync first writes a copy of the position above them.
//
// A commit that a foreign client's messages refuse needs no sync. While the position is
// still the newest, and every message above the events' fence was published outside a
// batch, so not by this program, the fence moves past them and the batch is tried again,
// in smaller parts.
//
// dedupe_from, in a position, is the stream sequence from which all stored ids must be
// compared, not only the recent ones. It is set when a query starts anew and while a page
// is stored in parts, and it survives any number of crashes.
//
// A query is reopened, when the org refuses the link or the filter changes, from
// published_max minus an overlap of one hour: never from now, and never from the
// watermark. An event is never published after it is persisted, so a query from there
// begins before everything unread; a query from now or from the watermark may not.
//
// A new query is a draft until the org has answered it. Its position is written before
// its first page, under the fence of the previous position. So a query that is never
// answered, as after a mistyped host name or filter, moves nothing, however often it is
// tried; and its beginning is checked once more against the org's own clock. A restart
// before that drafts it again.
//
// # Whose log it is
//
// A position names the origin that was asked, and the org's own id once the org has told
// it. Under another origin the query starts at since, or where a reopening would start if
// that is earlier, and is compared with the ids from there. If the ids show another org,
// sync refuses, unless the operator has confirmed it: then nothing of the first org's
// counts, and only positions of the new org are anchors. If the ids are not known, the
// org is assumed to be the same, and the position says so: assumed. For an instance from
// the environment nobody can confirm that, so it is refused. While a live process holds
// the lock for another origin, the instance is refused because its name is taken.
//
// # Gaps
//
// An org keeps its log for 90 days. Before the first page after a sync, the time up to
// which the log is known to be read (the watermark, or the overlap before published_max)
// is compared with the oldest time that the org still has, by the clock of its answer. A
// time between the two is the position's gap: logged once as an error, and carried over
// from position to position for as long as the stream keeps what came after it. It makes
// no difference whether the link is still accepted: it serves no more than the org has.
//
// # Moved by an operator
//
// An operator goes back to an earlier position, or starts a query from a time. Both write
// a position under the fence, so the poller is refused and syncs; an idle poller is
// refused at its next write of CURSORS, or woken. A rewind takes over the link, the query
// and the published_max of its target: a reopening before it ends goes back as far. Its
// dedupe_from is the target's own, or the target's sequence, because everything that the
// target's link will serve is stored after a position without dedupe_from. The target may
// lie before a change of origin if the org is the same.
//
// # Events of the past
//
// A backfill, or a repair after an audit, sends requests of its own that move no cursor,
// and Insert stores the events that are missing. Three rules make it exact.
//
//   - Only events that the live poll has passed are stored: a request for the past may
//     show what the live poll is about to serve. So a batch waits until everything is
//     committed that the org had persisted when the batch arrived (see below). An audit,
//     which does not poll, reads along the live link as far and leaves out what it finds
//     there.
//   - The batch is compared with the ids of all stored events of its span, read from the
//     anchor that a reopening at its beginning would have, through the events' fence.
//     While dedupe_from is set, no events of the past are stored.
//   - The batch has the same two fences and ends in a copy of the newest position, with
//     the higher published_max. So a concurrent poller is refused once, and a later
//     reopening that serves these events again compares them.
//
// # The head of the log
//
// An org may send fewer events than requested, or none, while more are waiting. So the
// size of a page does not show that the head of the log is reached. Two things show that
// everything has been served that the org had persisted by some moment:
//
//   - an empty page that was requested after it and whose link did not move; or three
//     empty pages in a row, the first of them requested after it, whose links moved;
//   - a page with an event published later, by the org's own clock: the log is served in
//     order of persistence, and nothing is persisted before it is published. Ten seconds
//     allow for the clocks of the org's machines.
//
// Watermarks, the end of dedupe_from and the insertion of the past all follow these
// rules. A watermark at the head is the Date of an earlier answer; on another page that
// is not full it is no later than the page's newest event either.
//
// # What simulation found
//
// A simulation of pollers without locks, with a server that is killed and comes back with
// backups, and with streams that are purged, found histories that the rules above alone
// do not survive. Hence:
//
//   - The anchor of a reopening (the position that dedupe_from names) has a published_max
//     that lies the overlap before since, not only before since. An event published just
//     before since and persisted just after it would be stored before a later anchor,
//     served again and doubled.
//   - Commits are bound to the connection that their sync read over. After a server has
//     come back with an older store, another poller may have fetched the lost pages
//     again, and its positions may have exactly our sequences with other links: both our
//     fences fit a foreign history. The connection dropped meanwhile, so a commit after
//     that is refused.
//   - dedupe_from ends with a page that repeats nothing, once everything has been served
//     that the org had persisted when it was set or when a process last synced. A short
//     page proves no end, not even an empty one: orgs send them under load while known
//     events are still to come.
//   - A page whose answer names no other link is requested again, events included, and
//     may grow. dedupe_from is set at its first events and stays until the link is left.
//   - After a purge of positions nothing shows where the newest pages began: the recent
//     ids then reach back 10,000 messages beyond the oldest position kept, and beyond a
//     fresh start that came after events that were kept. Pages stored while dedupe_from
//     was set are not among the newest two: the org may repeat what it served last, and
//     that may have been stored before dedupe_from was set.
//   - A published after the answer's own Date counts as that Date in published_max. An
//     event dated in the future would make a reopening start after events that were never
//     read. If an answer has no Date, or one that is not accepted, the known time of the
//     org takes its place (pipeline.Clock).
//   - Events that an old link serves are compared with the pages before dedupe_from, too:
//     an org may begin a page with events that the previous page ended with.
//   - When dedupe_from ends, published_max is raised to that of everything that was
//     compared. A rewind lowers it, and a repaired event before the target's link is not
//     served again: the next repair would not look back as far as its copy.
//
// # What it does not guarantee
//
//   - Two streams that receive each other's messages and were created to begin at the
//     same sequence may reach the same sequences with other events; then one accepts what
//     it must not. Their subjects must not cross the line.
//   - An event that the org serves again farther apart than the recent ids (at least two
//     pages with events) is stored again.
//   - After a purge, or in a newly created stream, the page by which CURSORS was behind
//     may be stored again if nothing is left to compare it with.
//   - A reopening serves the events of the last hours again. Those that the stream has
//     dropped by then, because of its size or age, are stored again.
//   - An event persisted more than the overlap after it was published is missed if a
//     reopening falls between.
//   - A gap is no proof of loss: the org may have had no events in that time. And an org
//     that is assumed to be the same may be another.
//   - An org that sends three empty pages in a row, each with a new link, while more is
//     waiting, or that dates events later than it persists them, makes the watermark run
//     ahead of waiting events, and a backfill store twice what the live poll then serves.
//   - An org that reports a wrong time five times in a row is believed: the watermark is
//     as wrong as its clock. If no answer has a Date, this machine's clock is used for
//     events dated in the future, and should not be behind the org's.
//   - An event is identified by its uuid. A repeat with other bytes is dropped; within
//     its page, and for events that this process stored lately, it becomes a dead letter.
//     Ids read back from the stream have no bytes to compare with.
//   - Dead letters are kept at least once, as long as DEADLETTER accepts them. One that
//     it refuses because of its limits or its state is logged and lost, and stops no
//     event.
//   - A lock keeps two processes from polling one org most of the time. It never is what
//     prevents doubles.
//   - Durability is the stream's: data that its server acknowledges and loses is reported
//     when a sync notices, and fetched again as far as Okta still has it.
package signals
