package pipeline

import (
	"fmt"
	"log/slog"
)

// Credential is what an org's requests are authorised with. Only its kind looks into it. It
// is comparable, so that a changed one is recognised. However it is printed or logged, it
// shows nothing of itself.
type Credential interface {
	fmt.Formatter
	slog.LogValuer
	IsZero() bool // there is none
}

var _ Credential = Secret{}
