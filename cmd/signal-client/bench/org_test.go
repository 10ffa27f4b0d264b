package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// orgTask describes the simulated org.
type orgTask struct {
	Events int // in its log
	Size   int // least bytes of one
	Page   int // elements of a page
}

// serveOrg serves an org without a rate limit, whose pages lie ready and
// compressed.
func serveOrg(task []byte) error {
	var o orgTask
	if err := json.Unmarshal(task, &o); err != nil {
		return err
	}
	org := oktatest.New(oktatest.Config{
		Seed: 1, Rate: oktatest.Rate{PerMinute: -1}, Requests: -1,
		Synthesize: oktatest.Synthesize{Events: o.Events, Size: o.Size},
	})
	org.Warm(o.Page)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: org, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	fmt.Println("http://" + ln.Addr().String())
	_ = server.Serve(ln) // it ends with stdin
	return nil
}

// startOrg starts the org's process and returns its URL.
func startOrg(t *testing.T, task orgTask) string {
	t.Helper()
	return startServing(t, "org", task)
}

// startServing starts a child that serves until the test ends, and returns the
// line that says where.
func startServing(t *testing.T, role string, task any) string {
	t.Helper()
	cmd, stdin := child(t, role, task)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	where, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%s did not start: %v", role, err)
	}
	return strings.TrimSpace(where)
}
