// Package child is the process in which VictoriaLogs runs: the only importer of it.
//
// VictoriaLogs ends its process on a fault of the disk, also from its own goroutines, so
// it never runs in the process that polls. This one serves its HTTP API on a loopback
// address to whoever has the password, and ends with its parent. Package search starts it.
//
// VictoriaLogs is configured by the standard library's flags. They are set here and read
// from no command line.
//
// Start reading at [Run].
package child

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/app/vlinsert"
	"github.com/VictoriaMetrics/VictoriaLogs/app/vlinsert/insertutil"
	"github.com/VictoriaMetrics/VictoriaLogs/app/vlselect"
	"github.com/VictoriaMetrics/VictoriaLogs/app/vlstorage"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logger"

	"github.com/witfoo/signal-client/sink/search"
)

// endTime is how long the end may take after the parent's: a process without a parent
// must not keep the store locked.
const endTime = 10 * time.Second

// Run is the whole process. It reads search.ChildSettings from stdin, writes
// search.ChildReady to stdout when it answers, and serves until stdin ends, as it does
// with the parent, however that ends. What VictoriaLogs has to say goes to the process's
// standard error.
func Run(stdin io.Reader, stdout io.Writer) error {
	// A terminal's Ctrl-C and a supervisor's SIGTERM reach this process, too; its parent
	// decides when it ends.
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	in := json.NewDecoder(bufio.NewReader(stdin))
	var s search.ChildSettings
	if err := in.Decode(&s); err != nil {
		return fmt.Errorf("read the settings from standard input: %w", err)
	}
	yieldToOthers()
	orphaned, end := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		end()
		time.Sleep(endTime)
		os.Exit(1)
	}()
	if err := configure(s); err != nil {
		return err
	}
	go watchMemory(orphaned, memoryLimit(), func(used uint64) {
		fmt.Fprintf(os.Stderr, "Error: a query took too much memory: the process has %d MiB\n", used>>20)
		os.Exit(1)
	})
	logger.InitNoLogFlags()
	vlstorage.Init()
	vlselect.Init()
	insertutil.SetLogRowsStorage(&vlstorage.Storage{})
	vlinsert.Init()
	err := announceAndServe(orphaned, stdout, s)
	vlinsert.Stop()
	vlselect.Stop()
	vlstorage.Stop()
	return err
}

// configure sets VictoriaLogs' flags.
func configure(s search.ChildSettings) error {
	for name, value := range map[string]string{
		"storageDataPath":               s.Dir,
		"retentionPeriod":               strconv.Itoa(int(s.Retention/time.Hour)) + "h",
		"memory.allowedBytes":           strconv.FormatInt(s.Memory, 10),
		"storage.minFreeDiskSpaceBytes": strconv.FormatInt(s.LeastFree, 10),
		"inmemoryDataFlushInterval":     s.WriteEvery.String(),
		"internalselect.disable":        "true",
		"search.maxConcurrentRequests":  "8", // at work; others wait for their turn
		"search.maxQueueDuration":       "30s",
		"search.maxQueryDuration":       "1m", // the time of waiting included
		"search.logSlowQueryDuration":   "0s", // a query is nobody else's business
		"loggerLevel":                   "WARN",
		"loggerFormat":                  "json",
		"loggerMaxArgLen":               "400", // of what may be a whole event
		"loggerWarnsPerSecondLimit":     "10",
	} {
		if err := flag.Set(name, value); err != nil {
			return fmt.Errorf("configure VictoriaLogs: -%s=%s: %w", name, value, err)
		}
	}
	return flag.CommandLine.Parse(nil)
}

func announceAndServe(ctx context.Context, stdout io.Writer, s search.ChildSettings) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := json.NewEncoder(stdout).Encode(search.ChildReady{URL: "http://" + ln.Addr().String()}); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return serve(ctx, ln, guard(s.Password, bounded(newBounds(s.Dir), http.HandlerFunc(answer))))
}
