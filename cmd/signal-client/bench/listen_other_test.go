//go:build !linux

package bench

import (
	"errors"
	"net"
)

// listenLoopback can't be had elsewhere: each address would have to be set up.
func listenLoopback() (net.Listener, error) {
	return nil, errors.New("thousands of orgs need the loopback addresses that Linux has")
}
