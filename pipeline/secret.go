package pipeline

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a credential. However it is printed, logged or encoded, it shows
// nothing of itself; Reveal is the only way to its value.
type Secret struct{ value string }

// NewSecret wraps a credential's value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value. Call it where the credential is sent, nowhere else.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no credential.
func (s Secret) IsZero() bool { return s.value == "" }

// Format shows the redaction whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String shows the redaction.
func (s Secret) String() string { return redacted }

// LogValue shows the redaction.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText shows the redaction, in JSON too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalJSON reads the value.
func (s *Secret) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &s.value) }

// Decode reads the value from an environment variable (envconfig.Decoder).
func (s *Secret) Decode(value string) error {
	s.value = value
	return nil
}
