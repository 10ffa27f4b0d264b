package run

import (
	"errors"

	"golang.org/x/sys/unix"
)

// noDumps turns core dumps of this process off, because its memory holds credentials: by the
// limit, and by making it undumpable, since a limit does not stop a core_pattern that is a
// pipe, such as systemd-coredump's. Undumpable, it can't be traced by a debugger of the same
// user either, and its /proc/<pid>/{environ,maps,mem} belong to root. The process itself still
// reads its own, as the process metrics do. A program that it starts is dumpable again, within
// the limit.
func noDumps() error {
	return errors.Join(
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}),
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0),
	)
}
