package jetstest_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Each port is handed out once, from a block that no other process can claim.
func TestPortsAreNobodyElses(t *testing.T) {
	given := map[int]bool{}
	for range 250 { // more than two blocks
		port, err := jetstest.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if given[port] {
			t.Errorf("%d is given twice", port)
		}
		given[port] = true
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port/100*100)); err == nil {
			_ = l.Close()
			t.Errorf("the block of %d can be claimed", port)
		}
	}
}
