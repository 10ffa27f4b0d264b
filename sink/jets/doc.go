// Package jets keeps in NATS JetStream what signal-client must not lose: the
// events of each instance with the positions between them, dead letters, and
// the buckets that say what is polled, by whom, and how it goes.
//
// # What is kept where
//
//   - Stream SIGNALS: the events of an instance on signals.okta.<instance>, and
//     its positions on signal-cursor.okta.<instance>, in one order.
//   - Stream DEADLETTER: what could not be published, on deadletter.okta.<instance>.
//   - Bucket CURSORS: a copy of each newest position, for readers, and for the
//     case that the stream has none any more. It may trail by one page.
//   - Bucket INTEGRATIONS: the instances to poll; watched.
//   - Bucket LOCKS: who polls what, and which replicas live.
//   - Bucket STATUS: how each instance is doing; for people only.
//   - Bucket BACKFILLS: what is to be read of the past, and how far that is.
//   - Bucket BUDGETS: what is left of the orgs' rate limits, for a moment; a courtesy.
//
// # The protocol
//
// A page is one atomic batch: its events and, last, the position after them. A
// restart finds both or neither. The batch has two fences. The position expects
// the sequence of the newest position: no other writer came in between. The
// first event expects the sequence of the newest event that the recent ids
// cover: no event is stored that this page was not compared with. The second one
// closes what a deleted or rolled-back position opens, when an old fence of the first
// kind fits again. Both are judged by the server at commit, so no lock, clock or
// duplicate window is needed for exactness.
//
// Sync reads the truth back: at start, at takeover, after any refusal or doubt,
// after a change of configuration. It alone sets position, fences, recent ids
// and the revision of CURSORS.
//
//   - The newest position in the stream is the truth, whatever CURSORS says. One
//     that can't be read is skipped, and stays the fence.
//   - Without one, CURSORS is gone on from, if its place in the stream is
//     empty, or the stream is another one: somebody purged. If anything else stands
//     there, or the stream ends before it, acknowledged data is lost: this is
//     told, the watermark moves back, and the query starts again at since.
//   - Without both, it is a fresh start.
//   - Whoever finds no position writes one before anything else: the fence is
//     never 0, which every newcomer could guess.
//   - Events above the newest position mean that a position was deleted, or that
//     somebody else writes there: a copy of the position goes above them first.
//
// A commit that somebody else's messages refuse, again and again, needs no sync: while
// the position is still the newest, and every message above the events' fence is one
// that stands in no batch, and so none of ours, the fence moves past them, and the
// batch is tried once more, and in smaller parts.
//
// dedupe_from, in a position, is the sequence from which on all stored ids must be
// compared, not only the recent ones. It is set when a query starts anew, and
// while a page is stored in parts, and it survives any number of crashes.
//
// A query is reopened, when the org refuses the link or the filter changes,
// from published_max minus an overlap of one hour: never from now, and never
// from the watermark. Published is never after persisted, so a query from there
// begins before all that was not read yet; from the other two it may not.
//
// A new query is a draft until the org has answered it. Its position is written before
// its first page, under the fence of the position before it. So what is never answered, a
// mistyped host name or filter, moves nothing, however often it is tried; and where the
// query begins is looked at once more by the org's own clock. A restart before that
// drafts it again.
//
// # Whose log it is
//
// A position names the origin that was asked, and the org's own id, once the org has
// told it. Under another origin the query starts at since, or where a reopening would
// start if that is earlier, compared with the ids from there. Where the ids say that
// it is another org, sync refuses, unless the operator has confirmed it: then nothing of
// the first org's counts, and only positions of the new one are its anchors. Where
// nobody tells, the org is taken for the same one, and the position says so: assumed.
// An instance from the environment, which nobody can confirm, is refused then. And while
// a live process holds its lock for another origin it is told that its name is taken.
//
// # What was passed over
//
// An org keeps its log for 90 days. Before the first page after a sync, what is known
// to be read (through the watermark, or the overlap before published_max) is held against
// what the org still has, by the clock of its answer. A time between the two is the
// position's gap: told once, aloud, and carried on from position to position for as long
// as the stream keeps what came after it. It does not matter whether the link is still
// taken: it serves no more than the org has.
//
// # Moved by hand
//
// An operator goes back to a position of the history, or starts a query from a
// time. Either is a position written under the fence, so whoever polls is refused
// and syncs; one whose polls are idle is refused at its next write of CURSORS, or
// woken. A rewind has the link, the query and the published_max of its target: a
// reopening before it is over goes back as far. Its dedupe_from is the target's own,
// or the target's sequence, for a position without dedupe_from has all that its link
// will serve after it. It may lie behind a change of origin, if the org is the same.
//
// # Events of the past
//
// A backfill, or a repair after an audit, asks the org in requests of its own that
// move no cursor, and Insert stores what is missing of that. It is exact by three
// rules.
//
//   - Only what the live poll has passed is stored. A request for the past may show
//     what the live poll is about to serve. So a batch waits until all is committed that
//     the org had persisted when the batch was in hand (see below); an audit,
//     which does not poll, reads along the live link as far, and leaves out what it
//     finds there.
//   - It is compared with the ids of all stored events of its stretch of time, read from
//     the anchor that a reopening at its beginning would have, through the events' fence.
//     While dedupe_from is set, nothing of the past is stored.
//   - It goes through the same two fences, and ends in a copy of the newest position
//     with the higher published_max. So whoever polls meanwhile is refused once, and
//     a later reopening that serves these events again compares with them.
//
// # The head of the log
//
// An org may send fewer events than it is asked for, or none, while more waits. So no page
// tells by its size that the head of the log is reached. Two things show that all has been
// served that the org had persisted by some moment:
//
//   - an empty page that was asked for after it, and whose link did not move; or three
//     empty pages in a row, the first of them asked for after it, whose links did;
//   - a page with an event that was published later, by the org's own clock: the log is served
//     in the order of persistence, and nothing is persisted before it is published. Ten
//     seconds are left for the clocks of the org's machines.
//
// Watermarks, the end of dedupe_from and the insertion of the past all go by this. A
// watermark at the head is the Date of an answer received before; on another page
// that is not full it is no later than the page's newest event either.
//
// # Where simulation took it further
//
// A simulation of pollers without locks, with a server that is killed, that comes
// back with backups, and whose streams are purged, found histories that the
// rules above alone do not survive. Hence:
//
//   - The anchor of a reopening (the position that dedupe_from names) has a
//     published_max that lies the overlap before since, not only before since.
//     An event published just before since and persisted just after it stands
//     before the later anchor and is served again: it was doubled.
//   - Commits are bound to the connection that their sync read over. After a server
//     has come back with an older store, another poller may have fetched the lost
//     pages anew, and its positions may stand at exactly our sequences with
//     other links: both our fences fit a history that is not ours. The
//     connection dropped meanwhile, so a commit after that is refused.
//   - dedupe_from ends with a page that repeats nothing, once all has been served that
//     the org had persisted when it was set or a process last synced. A short page proves no
//     end, not even an empty one: orgs send them under load while known events are
//     still to come.
//   - A page whose answer names no other link is asked for again, events and
//     all, and may grow. dedupe_from is set at its first events and stays until
//     the link is left.
//   - After a purge of positions nothing tells where the newest pages began: the
//     recent ids then look back 10,000 messages beyond the oldest position kept, and
//     beyond a fresh start that came after events that were kept. Pages that were
//     stored while dedupe_from was set are not among the newest two: the org may repeat
//     what it served last, and that may have been stored before the make-up.
//   - A published that lies after the answer's own Date counts as that Date in
//     published_max. An event dated into the future would make a reopening start
//     after events that were never read. In an answer without Date, or with one that is not
//     believed, it is what is known of the org's clock (pipeline.Clock).
//   - What an old link serves is compared with the pages before dedupe_from too: an
//     org may begin a page with events that the page before it ended with.
//   - When dedupe_from ends, published_max is raised to that of all that was compared. A
//     rewind lowers it, and an event that was repaired behind the target's link is not
//     served again: the next repair would not look back as far as its copy.
//
// # Two sites
//
// A line between two sites (a leaf node, an import, a mapping) may carry what one
// publishes to the stream of the other, and both answer.
//
//   - An acknowledgement names its stream and domain. One of another stream or domain
//     says nothing of ours: it is a doubt, and a sync follows.
//   - Each new stream begins at a sequence drawn by chance above the least that old
//     fences allow, so the fences of one site do not fit the other's stream.
//
// # What it does not guarantee
//
//   - Two streams that hear each other and were made to begin at the same sequence
//     may come to the same sequences with other events: then one takes what it must
//     not. Their subjects must not cross the line.
//   - An event that the org serves again farther apart than the recent ids (two
//     pages with events at least) is stored again.
//   - After a purge, or in a stream made anew, the page by which CURSORS trailed
//     may be stored again, where nothing is left to compare it with.
//   - A reopening serves the events of the last hours again. Those that the stream has
//     dropped by then, for its size or age, are stored again.
//   - An event persisted more than the overlap after it was published is missed if a
//     reopening falls between.
//   - A gap is no proof: the org may have had no events in that time. And an org that is
//     taken for the same one, since nobody tells, may be another.
//   - An org that sends three empty pages in a row, each with a new link, while more
//     waits, or that dates events later than it persists them, makes a watermark run
//     ahead by what waits, and a backfill store twice what the live poll then serves.
//   - An org that tells a wrong time five times in a row is believed: the watermark is as
//     wrong as its clock. Where no answer tells the time, this machine's clock takes the
//     place of the org's for events dated into the future, and should not be behind it.
//   - An event is known by its uuid. One that comes again with other bytes is dropped;
//     within its page, and for what this process stored last, they become a dead letter.
//     Ids that were read back from the stream have no bytes to compare with.
//   - Dead letters are kept at least once, as long as DEADLETTER takes them. One that it
//     refuses for its limits or its state is logged and lost, and stops no event.
//   - A lock keeps two processes from polling one org most of the time. It is never
//     what keeps events from being doubled.
//   - Durability is the stream's: what its server acknowledges and loses is told
//     when a sync notices, and fetched again as far as Okta still has it.
package jets
