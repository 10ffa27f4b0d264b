package pipeline

import (
	"fmt"
	"log/slog"
)

// Credential is what an org's requests are authorised with. Its type is its kind's own,
// and nothing else looks into it. It is comparable: two are equal when their values are,
// so a changed one is recognised. However it is printed or logged, it shows nothing of
// itself.
type Credential interface {
	fmt.Formatter
	slog.LogValuer
	IsZero() bool // there is none
}

var _ Credential = Secret{}
