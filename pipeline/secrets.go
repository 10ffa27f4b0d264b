package pipeline

// Secrets is how a process comes by the credentials of stored integrations. The zero value
// opens none that is sealed, and reads files anywhere.
type Secrets struct {
	Keys Keys   // nil: there are none
	Dir  string // files that integrations and notifications name are read below it only; empty: anywhere
}

// Keys seal and open the credentials of stored integrations. They are safe for concurrent
// use.
type Keys interface {
	// Seal seals data with the first key.
	Seal(data []byte) (sealed string, err error)
	// Open opens what any of the keys has sealed. first reports whether the first one has.
	Open(sealed string) (data []byte, first bool, err error)
	// Changed returns a channel that is closed when the keys change.
	Changed() <-chan struct{}
}
