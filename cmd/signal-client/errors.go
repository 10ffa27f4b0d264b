package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/topics"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
)

// The exit codes. A script may rely on them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFound       = 3
	exitCredential  = 4
	exitUnreachable = 5
	exitInterrupted = 130
)

// exitCodes says what each means.
var exitCodes = []topics.ExitCode{
	{Code: exitOK, Meaning: "ok; for run also: it was told to stop"},
	{Code: exitFailed, Meaning: "failed"},
	{Code: exitUsage, Meaning: "wrong usage or configuration, or a question was answered with no"},
	{Code: exitFound, Meaning: "a check found something"},
	{Code: exitCredential, Meaning: "Okta or NATS refused a credential"},
	{Code: exitUnreachable, Meaning: "NATS or Okta can't be reached"},
	{Code: exitInterrupted, Meaning: "interrupted by a signal"},
}

// problem is an error as its reader needs it: what failed, why, and what to try.
type problem struct {
	Op   string // what failed, with the value
	Err  error  // the cause
	Hint string // what to try; empty: what remedies says of Err
	Code int    // the exit code; 0: what remedies says of Err
}

func (p *problem) Error() string { return p.Op + ": " + p.Err.Error() }

func (p *problem) Unwrap() error { return p.Err }

// told is the error of a command whose output has said it all: its exit code.
type told int

func (t told) Error() string { return fmt.Sprintf("exit code %d", int(t)) }

// remedy is what is known of an error wherever it comes up.
type remedy struct {
	err  error
	code int
	hint string
}

// remedies are tried from the top; the first match counts.
var remedies = []remedy{
	{pipeline.ErrCredential, exitCredential, "make a new API token in Okta (Security > API > Tokens; a read-only admin is enough) and put it where OKTA_API_TOKEN_FILE or the integration names it"},
	{pipeline.ErrThrottled, exitFailed, "wait a minute, or lower settings.rate_share; other clients share the org's limit"},
	{pipeline.ErrCursor, exitFailed, "nothing by hand: the poller starts a new query by itself; at once it does by: signal-client cursor reopen <name> --since <time>"},
	{pipeline.ErrLink, exitFailed, "nothing by hand: the poller starts a new query by itself, if the org goes on refusing the link"},
	{pipeline.ErrConfig, exitUsage, "correct the field that is named, in INTEGRATIONS or in the environment"},
	{jets.ErrUncompared, exitFailed, "start the service, which compares them: signal-client run; then run the command again"},
	{pipeline.ErrFenced, exitFailed, "run the command again: another writer was faster"},
	{pipeline.ErrLockLost, exitFailed, "run the command again; if it stays, look at the replicas with: signal-client status"},
	{pipeline.ErrHandover, exitFailed, "run the command again; another replica polls the instance now, see: signal-client status"},
	{pipeline.ErrChanged, exitFailed, "run the command again: the integration was changed meanwhile"},
	{pipeline.ErrNewer, exitFailed, "run the newest signal-client that has worked on this stream"},
	{pipeline.ErrMakingUp, exitFailed, "wait until dedupe from is 0 in: signal-client cursor show <name>; then run the command again"},
	{audit.ErrBehind, exitFailed, "wait until signal-client status says polling, then run the command again"},
	{jets.ErrPurged, exitFailed, "start the service, which goes on from CURSORS: signal-client run; then run the command again"},
	{jets.ErrNoPosition, exitFailed, "start the service, so that the org is polled: signal-client run"},
	{jets.ErrNoTarget, exitFailed, "signal-client cursor reopen <name> --since <time>: it needs no position from then"},
	{jets.ErrGap, exitFailed, "an earlier --since; or --force, and then: signal-client audit --repair"},
	{jets.ErrNothingAfter, exitFailed, "an earlier --to; see: signal-client cursor history <name>"},
	{jets.ErrOtherQuery, exitFailed, "wait until the service has taken up the changed filter or limit, then run the command again"},
	{jets.ErrMovedOn, exitFailed, "run the command again: the poller went on meanwhile"},
	{jets.ErrCut, exitFailed, "raise max_payload of the NATS server, then bring it again from Okta: signal-client audit --repair"},
	{jets.ErrConflict, exitFailed, "compare the two: signal-client deadletter show <sequence> --raw; then: signal-client deadletter purge <sequence>"},
	{jets.ErrNoEvent, exitFailed, "look at it: signal-client deadletter show <sequence>; then: signal-client deadletter purge <sequence>"},
	{jets.ErrStillTooLarge, exitFailed, "raise max_payload of the NATS server, or max_msg_size of SIGNALS, to more than its size"},
	{jets.ErrNotPassed, exitFailed, "run the command again when the org is complete through an hour after the event: signal-client status"},
	{jets.ErrServerTooOld, exitFailed, "upgrade nats-server to 2.12 or newer, or leave NATS_URL empty: the embedded one is new enough"},
	{jets.ErrNoJetStream, exitUnreachable, "start nats-server with --jetstream, enable JetStream for the account of this user, or mend the leaf node's line to its hub"},
	{jets.ErrServerURL, exitUsage, "write each server as nats://host:4222, with commas between them"},
	{jets.ErrUserInfo, exitUsage, "percent-encode what is special in user and password, or set NATS_USER and NATS_PASSWORD"},
	{jets.ErrForeignAck, exitFailed, "deny signals.>, signal-cursor.> and deadletter.> on the line between the sites, then run the command again"},
	{embedded.ErrNoRoom, exitFailed, "make room on the disk of SIGNAL_CLIENT_DATA_DIR; the service goes on by itself"},
	{jets.ErrDisconnected, exitUnreachable, "run the command again: the connection dropped on the way"},
	{jets.ErrOtherStream, exitFailed, "run the command again: the sequences of the stream that was deleted mean nothing in this one"},
	{jets.ErrOwnSubject, exitUsage, "publish to a subject of its own, such as signals-replay.acme"},
	{jets.ErrTarget, exitUsage, "have streams that acknowledge take all of it (nats stream edit), or choose with --instance"},
	{jets.ErrRefused, exitFailed, "make room for it there, or raise what limits it (nats stream info), then go on with the command that was printed"},
	{jets.ErrSubject, exitUsage, "give a subject without wildcards, such as signals-replay.acme"},
	{jetstream.ErrStreamNotFound, exitFailed, "start the service, which makes what is absent: signal-client run; see also: signal-client doctor"},
	{jets.ErrNoMessage, exitFailed, "run the command again; if it stays, look at the stream with: nats stream info SIGNALS"},
	{embedded.ErrInUse, exitFailed, "stop the other signal-client, or give this one its own: SIGNAL_CLIENT_DATA_DIR=<directory>"},
	{nats.ErrAuthorization, exitCredential, "check NATS_CREDS or the context: NATS knows neither this user nor its password"},
	{nats.ErrAuthExpired, exitCredential, "get new NATS credentials: these have expired"},
	{nats.ErrAuthRevoked, exitCredential, "get new NATS credentials: these were revoked"},
	{nats.ErrAccountAuthExpired, exitCredential, "have the NATS account renewed: it has expired"},
	{nats.ErrPermissionViolation, exitCredential, "give the NATS user the permissions that signal-client help permissions lists; what configures or deletes is for its admin"},
	{nats.ErrNoServers, exitUnreachable, "check NATS_URL, and that the server runs: nats server check connection"},
	{nats.ErrConnectionClosed, exitUnreachable, "check that the NATS server runs: nats server check connection"},
	{nats.ErrTimeout, exitUnreachable, "check that the NATS server runs with JetStream enabled: nats server check connection"},
	{nats.ErrNoResponders, exitUnreachable, "enable JetStream on the NATS server (jetstream {} in its configuration)"},
	{io.EOF, exitUnreachable, "check the address: what listens there closes the connection, and may be no NATS server"},
	{syscall.ENOSPC, exitFailed, "make room on that disk, then run the command again"},
	{syscall.ECONNREFUSED, exitUnreachable, "check the address, and that something listens there"},
}

// report prints every problem in err and returns the exit code of the first.
func report(to screen, err error) int {
	code := exitOK
	for i, e := range split(err) {
		p := explain(e)
		code = cmp.Or(code, p.Code)
		if i > 0 {
			fmt.Fprintln(to)
		}
		p.print(to)
	}
	return code
}

// split takes joined errors apart.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// explain fills in what is known of the error.
func explain(err error) problem {
	var p problem
	if known, ok := errors.AsType[*problem](err); ok {
		p = *known
	} else {
		p = headed(err)
	}
	r := remedyFor(err)
	p.Code = cmp.Or(p.Code, r.code)
	p.Hint = cmp.Or(p.Hint, r.hint)
	return p
}

// headed makes a problem of a plain error: the outermost act is what failed,
// the rest is why.
func headed(err error) problem {
	op, cause, ok := strings.Cut(err.Error(), ": ")
	if !ok {
		return problem{Op: err.Error()}
	}
	return problem{Op: op, Err: errors.New(cause)}
}

// hintFor is what to try after an error; "": nothing is known.
func hintFor(err error) string { return remedyFor(err).hint }

func remedyFor(err error) remedy {
	for _, r := range remedies {
		if errors.Is(err, r.err) {
			return r
		}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return remedy{code: exitUnreachable, hint: "check the host name, and this machine's DNS"}
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return remedy{code: exitUnreachable, hint: "check the address, and the way there (firewall, proxy)"}
	}
	return remedy{code: exitFailed}
}

// print writes the parts that there are, one line each. What was typed in stands there
// too, and may be a URL with a password in the wrong place.
func (p problem) print(to screen) {
	fmt.Fprintf(to, "%s %s\n", to.Paint(red, "error:"), printable(masked(p.Op)))
	if p.Err != nil {
		fmt.Fprintf(to, "cause: %s\n", printable(masked(p.Err.Error())))
	}
	if p.Hint != "" {
		fmt.Fprintf(to, "%s %s\n", to.Paint(green, "try:"), printable(masked(p.Hint)))
	}
}
