package jetstest

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports lie below those from which systems choose, in blocks. A block belongs to
// the process that listens on its first port, until that process ends: so nobody
// else is given a port between the moment at which it was found free and the one
// at which a server listens there, nor while that server is down.
const (
	firstPort  = 20_000
	portBlock  = 100
	portBlocks = 120
)

var ports struct {
	sync.Mutex
	next, end int
	claims    []net.Listener // kept, so that they stay open
}

// FreePort is a port of loopback that nobody listens on, and that nobody else is
// given while this process lives.
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

// claimPorts makes a block that belongs to no process this one's.
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
