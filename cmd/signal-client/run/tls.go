package run

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a certificate and its key in files, which are read again when they
// change. It is safe for concurrent use.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	times   [2]time.Time
}

// openCertificate reads the files; without any it returns nil.
func openCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	if cert == "" {
		return nil, nil
	}
	c := &certificate{cert: cert, key: key, log: log}
	times := c.changed()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	c.current, c.times = &pair, times
	return c, nil
}

// Get returns the certificate as it is now. While the files don't belong together, since
// one of them is still to be written, it returns the former one.
func (c *certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	times := c.changed()
	c.mu.Lock()
	current, same := c.current, times == c.times
	c.times = times
	c.mu.Unlock()
	if same {
		return current, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		c.log.Warn("http: the changed certificate can't be used; the former one is", "file", c.cert, "err", err)
		return current, nil
	}
	c.log.Info("http: the certificate was read again", "file", c.cert, "until", pair.Leaf.NotAfter)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = &pair
	return c.current, nil
}

// changed returns when the files were changed.
func (c *certificate) changed() (times [2]time.Time) {
	for i, path := range []string{c.cert, c.key} {
		if info, err := os.Stat(path); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}
