package bench

import (
	"context"
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenLoopback listens on one port of every loopback address, 127.0.0.0/8, and
// of no other: the socket is bound to the device.
func listenLoopback() (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var bound error
		err := conn.Control(func(fd uintptr) { bound = unix.BindToDevice(int(fd), "lo") })
		return errors.Join(err, bound)
	}}
	return config.Listen(context.Background(), "tcp4", "0.0.0.0:0")
}
