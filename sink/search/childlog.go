package search

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// childFailure is why the child has ended, and what to do.
type childFailure struct{ words, remedy string }

func (e *childFailure) Error() string { return e.words }

// read logs each line. VictoriaLogs writes JSON; the runtime of a crashed process does
// not.
func (l *childLog) read(stderr io.Reader) {
	lines := bufio.NewReaderSize(stderr, 64<<10)
	for {
		line, long, err := lines.ReadLine()
		if err != nil {
			return
		}
		for long && err == nil { // the rest of it is of no interest
			_, long, err = lines.ReadLine()
		}
		l.line(line)
	}
}

func (l *childLog) line(line []byte) {
	var of struct{ Level, Msg string }
	if json.Unmarshal(line, &of) != nil {
		l.log.Debug("search: index: " + string(line))
		l.remember(string(line), false)
		return
	}
	words := withoutEvent(of.Msg)
	switch of.Level {
	case "panic", "fatal":
		l.remember(words, true) // logged with the process's end
	case "error":
		l.log.Warn("search: index: " + words)
		l.remember(words, true)
	default:
		l.log.Log(context.Background(), warnLevel(words), "search: index: "+words)
	}
}

// warnLevel is the level of a warning: what is wrong with somebody's query is for him,
// and events that are not taken are counted.
func warnLevel(words string) slog.Level {
	for _, noise := range []string{"remoteAddr: ", "skipping log entry", "ignoring ", "dropping log line", "jsonline: "} {
		if strings.HasPrefix(words, noise) {
			return slog.LevelDebug
		}
	}
	return slog.LevelWarn
}

// withoutEvent cuts a message of VictoriaLogs before the event in it, which is not for
// the log.
func withoutEvent(words string) string {
	const most = 500
	for _, mark := range []string{"log entry: ", "log entry {", "line contents: ", "; {"} {
		if i := strings.Index(words, mark); i >= 0 {
			words = words[:i]
		}
	}
	return words[:min(len(words), most)]
}

// remember keeps the newest error; sure: it is one for certain. Of a crash the first line
// counts.
func (l *childLog) remember(words string, sure bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sure || l.last == "" && (strings.HasPrefix(words, "fatal error: ") || strings.HasPrefix(words, "panic: ") || strings.HasPrefix(words, "Error: ") || strings.HasPrefix(words, "runtime: ")) {
		l.last = words
	}
}

// ended records how the process ended.
func (l *childLog) ended(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over, l.exit = true, err
}

// failure returns why the process has ended.
func (l *childLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	words := "the index's process has ended"
	if l.exit != nil {
		words += ": " + l.exit.Error()
	}
	if l.last != "" {
		words += ": " + l.last
	}
	return &childFailure{words, remedyFor(l.last)}
}

// remedies are what to do about the last words of VictoriaLogs, which have no codes.
var remedies = []struct{ words, remedy string }{
	{"flock.lock", "another process uses the directory: stop that one, or give this one a SIGNAL_CLIENT_DATA_DIR of its own"},
	{"resource temporarily unavailable", "another process uses the directory: stop that one, or give this one a SIGNAL_CLIENT_DATA_DIR of its own"},
	{"no space left", "make room on the disk; the index continues by itself"},
	{"read-only file system", "make the directory writable for this user; the index continues by itself"},
	{"permission denied", "make the directory writable for this user; the index continues by itself"},
	{"too many open files", "raise the limit of open files (ulimit -n, LimitNOFILE) to 65536"},
	{"out of memory", "give the machine more memory, or the index less: SIGNAL_CLIENT_SEARCH_MEMORY"},
	{"cannot allocate memory", "give the machine more memory, or the index less: SIGNAL_CLIENT_SEARCH_MEMORY"},
}

func remedyFor(words string) string {
	for _, r := range remedies {
		if strings.Contains(words, r.words) {
			return r.remedy
		}
	}
	if words == "" {
		return "it is started again by itself; if it is killed for its memory: SIGNAL_CLIENT_SEARCH_MEMORY"
	}
	return "if it is damaged, delete the index's directory while nothing runs: it is built again from the stream"
}

// troubleOf returns what to show of an error, and the remedy.
func troubleOf(err error, dir string) (trouble, remedy string) {
	if f, ok := errors.AsType[*childFailure](err); ok {
		return f.words, strings.ReplaceAll(f.remedy, "the index's directory", dir)
	}
	if f, ok := errors.AsType[*indexError](err); ok {
		return f.Error(), f.remedy()
	}
	return fmt.Sprint(err), remedyFor(fmt.Sprint(err))
}
