package pipeline

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"unique"
)

const redacted = "[redacted]"

// Secret is a credential. However it is printed, logged or encoded, it shows nothing of
// its value; only Reveal returns it. Two are equal (==) when their values are.
type Secret struct {
	// A handle: fmt calls no method of unexported fields, and would print its address.
	value unique.Handle[string]
}

// NewSecret wraps a credential's value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{unique.Make(value)}
}

// Reveal returns the value. Call it only where the credential is sent.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.value.Value()
}

// IsZero reports whether there is no credential.
func (s Secret) IsZero() bool { return s == Secret{} }

// Format prints the redaction, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns the redaction.
func (s Secret) String() string { return redacted }

// LogValue returns the redaction.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns the redaction, for JSON, too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalJSON reads the value.
func (s *Secret) UnmarshalJSON(data []byte) error {
	var value string
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	*s = NewSecret(value)
	return nil
}

// Decode reads the value from an environment variable (envconfig.Decoder).
func (s *Secret) Decode(value string) error {
	*s = NewSecret(value)
	return nil
}
