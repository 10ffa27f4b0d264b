package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/schemas"
)

// version is the highest version of a Document that this program understands.
const version = 1

// Document is the state of a fleet at a moment: what it needs to go on elsewhere. The keys
// are those of the buckets, such as okta.acme. It holds no secret in the open.
type Document struct {
	Version      int           `json:"version"`
	At           time.Time     `json:"at"`
	Program      string        `json:"program"` // version that exported it
	Integrations []integration `json:"integrations"`
	Positions    []position    `json:"positions"`
	Backfills    []job         `json:"backfills"`
}

type integration struct {
	Key   string     `json:"key"`
	Value orgs.Value `json:"value"` // with credentials.sealed, or without secrets
}

type position struct {
	Key      string          `json:"key"`
	Sequence uint64          `json:"sequence"` // in the SIGNALS that it was exported from
	Position json.RawMessage `json:"position"`
}

type job struct {
	Key   string       `json:"key"` // <kind>.<instance>.<id>
	Value backfill.Job `json:"value"`
}

// readDocument parses an exported document. Nothing is restored of one that is half wrong.
func readDocument(data []byte) (Document, error) {
	var d Document
	var head struct {
		Version int `json:"version"`
	}
	switch err := json.Unmarshal(data, &head); {
	case err != nil:
		return d, fmt.Errorf("it is no JSON: %w", err)
	case head.Version > version:
		return d, fmt.Errorf("version %d of an export: %w", head.Version, pipeline.ErrNewer)
	}
	if err := schemas.Validate("export", data); err != nil {
		return d, err
	}
	err := json.Unmarshal(data, &d)
	for _, p := range d.Positions {
		var parsed pipeline.Position
		if e := json.Unmarshal(p.Position, &parsed); e != nil {
			err = errors.Join(err, fmt.Errorf("position of %s: %w", p.Key, e))
		}
	}
	return d, err
}

// sealed is the member of a value that holds its credentials, to be opened by a key only.
const sealed = "credentials.sealed"

// shown returns a value as it is exported, and whether secrets were left out.
func shown(v orgs.Value) (kept orgs.Value, left bool) {
	kept = v.WithoutSecrets()
	if at := v.At(sealed); at != nil {
		kept.Put(sealed, at)
		return kept, false
	}
	return kept, !kept.Equal(v)
}

// split returns the kind's name and the instance of a key.
func split(key string) (kind, instance string) {
	kind, instance, _ = strings.Cut(key, ".")
	return kind, instance
}
