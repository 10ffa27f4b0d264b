// Package notify sends advisories to people: by webhook, Slack and e-mail, as the rules in
// the bucket NOTIFICATIONS say, and records in NOTIFIED what became of each.
//
// The process that makes an advisory sends it, too. Where several make the same one, a
// compare-and-set on NOTIFIED lets one of them send it. Nothing waits for a channel: each
// has a queue and a goroutine of its own, and what does not fit is dropped and logged.
// A notification is sent at most once: one that was under way when its process was killed
// is not repeated before its cooldown is over.
//
// What users see and edit of channels and rules is here too, for the command and the
// console: [Read], [Channel], [Rule] and [Test].
//
// Start reading at [Notifier.Notify] and [Send].
package notify
