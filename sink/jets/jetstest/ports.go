package jetstest

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports are taken in blocks below those that systems assign. A block belongs to the
// process that listens on its first port, until that process ends: so nobody else gets a
// port between the check that it is free and the server's start, nor while that server is
// down.
const (
	firstPort  = 20_000
	portBlock  = 100
	portBlocks = 120
)

var ports struct {
	sync.Mutex
	next, end int
	claims    []net.Listener // kept open
}

// FreePort returns a loopback port that nobody listens on, and that nobody else gets
// while this process lives.
func FreePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for {
		for ports.next < ports.end {
			port := ports.next
			ports.next++
			if l, err := listen(port); err == nil {
				return port, l.Close()
			}
		}
		if err := claimPorts(); err != nil {
			return 0, err
		}
	}
}

// claimPorts claims a block that belongs to no process.
func claimPorts() error {
	var err error
	for _, i := range rand.Perm(portBlocks) {
		first := firstPort + i*portBlock
		l, failed := listen(first)
		if failed == nil {
			ports.claims = append(ports.claims, l)
			ports.next, ports.end = first+1, first+portBlock
			return nil
		}
		err = failed
	}
	return errors.Join(errors.New("every block of ports is taken"), err)
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
