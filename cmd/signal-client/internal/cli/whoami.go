package cli

import (
	"os"
	"os/user"
	"strconv"
)

// Whoami returns the user of the command: user@host.
func Whoami() string {
	name, host := strconv.Itoa(os.Getuid()), "unknown"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
