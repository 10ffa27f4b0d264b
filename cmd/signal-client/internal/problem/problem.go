package problem

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/cmd/signal-client/topics"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
	"github.com/witfoo/signal-client/sink/deadletters"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/republish"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/source"
)

// Exit codes. Scripts may rely on them.
const (
	OK            = 0
	Failed        = 1
	BadUsage      = 2
	Found         = 3
	BadCredential = 4
	Unreachable   = 5
	Interrupted   = 130
)

// ExitCodes documents them.
var ExitCodes = []topics.ExitCode{
	{Code: OK, Meaning: "ok; for run also: it was stopped"},
	{Code: Failed, Meaning: "failed"},
	{Code: BadUsage, Meaning: "wrong usage or configuration, or a question was answered with no"},
	{Code: Found, Meaning: "a check found something"},
	{Code: BadCredential, Meaning: "Okta or NATS refused a credential"},
	{Code: Unreachable, Meaning: "NATS or Okta can't be reached"},
	{Code: Interrupted, Meaning: "interrupted by a signal"},
}

// Error is an error as the user sees it: what failed, why, and what to try.
type Error struct {
	Op   string // what failed, with the value
	Err  error  // the cause
	Hint string // what to try; empty: by remedies
	Code int    // the exit code; 0: by remedies
}

// Error returns what failed and why.
func (p *Error) Error() string { return p.Op + ": " + p.Err.Error() }

// Unwrap returns the cause.
func (p *Error) Unwrap() error { return p.Err }

// ExitCode is the exit code of a command whose output has said everything.
type ExitCode int

// Error names the code; nobody prints it.
func (t ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(t)) }

// remedy is the exit code and hint for an error.
type remedy struct {
	err  error
	code int
	hint string
}

// remedies in order; the first match counts.
var remedies = []remedy{
	{pipeline.ErrCredential, BadCredential, "give it a credential that the org accepts: signal-client integrations set <name> --token-from <file>"},
	{pipeline.ErrThrottled, Failed, "wait a minute, or lower settings.rate_share; other clients share the org's limit"},
	{pipeline.ErrCursor, Failed, "nothing to do: the poller starts a new query by itself; to start it at once: signal-client cursor reopen <name> --since <time>"},
	{pipeline.ErrLink, Failed, "nothing to do: the poller starts a new query by itself if the org keeps refusing the link"},
	{pipeline.ErrOutside, BadUsage, "put the file below SIGNAL_CLIENT_SECRETS_DIR and name it there; or set another directory, and restart the service"},
	{pipeline.ErrConfig, BadUsage, "correct the named field, in INTEGRATIONS or in the environment"},
	{signals.ErrUncompared, Failed, "start the service, which compares them: signal-client run; then run the command again"},
	{pipeline.ErrFenced, Failed, "run the command again: another writer was faster"},
	{pipeline.ErrLockLost, Failed, "run the command again; if it fails again, look at the replicas with: signal-client status"},
	{pipeline.ErrHandover, Failed, "run the command again; another replica polls the instance now, see: signal-client status"},
	{pipeline.ErrChanged, Failed, "run the command again: the integration was changed meanwhile"},
	{pipeline.ErrNewer, Failed, "use the newest signal-client that has worked on this stream"},
	{pipeline.ErrPanic, Failed, "report it with the log, which has the place: https://github.com/witfoo/signal-client/issues"},
	{pipeline.ErrMakingUp, Failed, "wait until dedupe from is 0 in: signal-client cursor show <name>; then run the command again"},
	{audit.ErrBehind, Failed, "wait until signal-client status says polling, then run the command again"},
	{signals.ErrPurged, Failed, "start the service, which continues from CURSORS: signal-client run; then run the command again"},
	{signals.ErrNoPosition, Failed, "start the service, so that the org is polled: signal-client run"},
	{signals.ErrNoTarget, Failed, "signal-client cursor reopen <name> --since <time>: it needs no position"},
	{signals.ErrGap, Failed, "use an earlier --since; or --force, and then: signal-client audit --repair"},
	{signals.ErrStarted, Failed, "it goes on from there: signal-client cursor show <name>"},
	{signals.ErrNothingAfter, Failed, "use an earlier --to; see: signal-client cursor history <name>"},
	{signals.ErrOtherQuery, Failed, "wait until the service has applied the changed filter or limit, then run the command again"},
	{signals.ErrMovedOn, Failed, "run the command again: the poller has moved meanwhile"},
	{deadletters.ErrCut, Failed, "raise max_payload of the NATS server, then fetch it from Okta again: signal-client audit --repair"},
	{deadletters.ErrConflict, Failed, "compare the two: signal-client deadletter show <sequence> --raw; then: signal-client deadletter purge <sequence>"},
	{deadletters.ErrNoEvent, Failed, "look at it: signal-client deadletter show <sequence>; then: signal-client deadletter purge <sequence>"},
	{deadletters.ErrStillTooLarge, Failed, "raise max_payload of the NATS server, or max_msg_size of SIGNALS, to more than its size"},
	{deadletters.ErrNotPassed, Failed, "run the command again when the org is complete through an hour after the event: signal-client status"},
	{jets.ErrServerTooOld, Failed, "upgrade nats-server to 2.12 or newer, or leave NATS_URL empty: the embedded one is new enough"},
	{jets.ErrNoJetStream, Unreachable, "start nats-server with --jetstream, enable JetStream for this user's account, or repair the leaf node's connection to its hub"},
	{jets.ErrAccountLimit, Failed, "have the account's limit raised, or lower what is configured: signal-client help accounts"},
	{jets.ErrMayNotCreate, BadCredential, "have an administrator create what is missing, with the commands that this prints: signal-client provision --print"},
	{jets.ErrMayNotChange, BadCredential, "have an administrator run that command; see also: signal-client provision --print"},
	{jets.ErrLeftOut, Failed, "have the account's limit raised, then run the command again; signal-client doctor shows the limits"},
	{jets.ErrServerURL, BadUsage, "write each server as nats://host:4222, separated by commas"},
	{jets.ErrUserInfo, BadUsage, "percent-encode special characters in user and password, or set NATS_USER and NATS_PASSWORD"},
	{jets.ErrForeignAck, Failed, "deny signals.>, signal-cursor.> and deadletter.> on the line between the sites, then run the command again"},
	{embedded.ErrNoRoom, Failed, "free some space on the disk of SIGNAL_CLIENT_DATA_DIR; the service continues by itself"},
	{jets.ErrDisconnected, Unreachable, "run the command again: the connection dropped"},
	{search.ErrUnavailable, Failed, "see what the log says about search, or signal-client doctor; SIGNAL_CLIENT_SEARCH configures the index"},
	{scan.ErrOtherStream, Failed, "run the command again: sequences of the deleted stream have no meaning in this one"},
	{republish.ErrOwnSubject, BadUsage, "publish to a subject of your own, such as signals-replay.acme"},
	{republish.ErrTarget, BadUsage, "let streams that acknowledge take all of its subjects (nats stream edit), or narrow it with --instance"},
	{republish.ErrRefused, Failed, "make room for it there, or raise what limits it (nats stream info), then continue with the printed command"},
	{republish.ErrSubject, BadUsage, "use a subject without wildcards, such as signals-replay.acme"},
	{jetstream.ErrStreamNotFound, Failed, "start the service, which creates what is missing: signal-client run; see also: signal-client doctor"},
	{jets.ErrUnusable, Failed, "see the required configuration of streams and buckets: signal-client doctor"},
	{jets.ErrTooLarge, Failed, "raise max_batch_size or max_payload of the NATS server; see: signal-client doctor"},
	{jets.ErrMessageSize, Failed, "raise max_msg_size of the stream: nats stream edit"},
	{jets.ErrNoMessage, Failed, "run the command again; if it fails again, look at the stream with: nats stream info SIGNALS"},
	{embedded.ErrInUse, Failed, "stop the other signal-client, or use another directory for this one: SIGNAL_CLIENT_DATA_DIR=<directory>"},
	{embedded.ErrContext, Failed, "remove that file and start the service again: it makes a new one, with another password"},
	{nats.ErrAuthorization, BadCredential, "check NATS_CREDS or the context: NATS does not know this user or its password"},
	{nats.ErrAuthExpired, BadCredential, "get new NATS credentials: these have expired"},
	{nats.ErrAuthRevoked, BadCredential, "get new NATS credentials: these were revoked"},
	{nats.ErrAccountAuthExpired, BadCredential, "have the NATS account renewed: it has expired"},
	{nats.ErrPermissionViolation, BadCredential, "give the NATS user the permissions in signal-client help permissions; commands that configure or delete are for its admin"},
	{nats.ErrNoServers, Unreachable, "check NATS_URL, and that the server runs: nats server check connection"},
	{nats.ErrConnectionClosed, Unreachable, "check that the NATS server runs: nats server check connection"},
	{nats.ErrTimeout, Unreachable, "check that the NATS server runs with JetStream enabled: nats server check connection"},
	{nats.ErrNoResponders, Unreachable, "enable JetStream on the NATS server (jetstream {} in its configuration)"},
	{io.EOF, Unreachable, "check the address: the listener closes the connection and may not be a NATS server"},
	{diskFull, Failed, "free some space on that disk, then run the command again"},
	{connectionRefused, Unreachable, "check the address, and that something listens there"},
}

// Report prints every problem in err and returns the first one's exit code.
func Report(to term.Screen, err error) int {
	code := OK
	for i, e := range Split(err) {
		p := Of(e)
		code = cmp.Or(code, p.Code)
		if i > 0 {
			fmt.Fprintln(to)
		}
		p.Print(to)
	}
	return code
}

// Split returns the parts of a joined error.
func Split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// Of completes a problem from remedies.
func Of(err error) Error {
	var p Error
	if known, ok := errors.AsType[*Error](err); ok {
		p = *known
	} else {
		p = Plain(err)
	}
	r := remedyFor(err)
	p.Code = cmp.Or(p.Code, r.code)
	p.Hint = cmp.Or(p.Hint, r.hint)
	return p
}

// Plain makes a problem of a plain error: the outermost act failed, the rest is the cause.
func Plain(err error) Error {
	op, cause, ok := strings.Cut(err.Error(), ": ")
	if !ok {
		return Error{Op: err.Error()}
	}
	return Error{Op: op, Err: errors.New(cause)}
}

// Hint returns what to try after an error; empty: nothing is known.
func Hint(err error) string { return remedyFor(err).hint }

func remedyFor(err error) remedy {
	for _, r := range remedies {
		if errors.Is(err, r.err) {
			if r.err == pipeline.ErrCredential { // the vendor's own words for it
				r.hint = cmp.Or(source.Explain(err).Remedy, r.hint)
			}
			return r
		}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return remedy{code: Unreachable, hint: "check the host name, and this machine's DNS"}
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return remedy{code: Unreachable, hint: "check the address and the network (firewall, proxy)"}
	}
	return remedy{code: Failed}
}

// Print writes the parts that are set, one per line, with passwords masked: input is
// quoted, and may be a URL with a password in an unexpected place.
func (p Error) Print(to term.Screen) {
	fmt.Fprintf(to, "%s %s\n", to.Paint(term.Red, "error:"), term.Printable(term.Masked(p.Op)))
	if p.Err != nil {
		fmt.Fprintf(to, "cause: %s\n", term.Printable(term.Masked(p.Err.Error())))
	}
	if p.Hint != "" {
		fmt.Fprintf(to, "%s %s\n", to.Paint(term.Green, "try:"), term.Printable(term.Masked(p.Hint)))
	}
}
