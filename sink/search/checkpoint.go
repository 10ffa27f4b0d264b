package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
)

// checkpoint is how far an index has the stream for certain, whatever becomes of its
// process. Above it the index may have any rows.
type checkpoint struct {
	Version    int       `json:"version"`
	Created    time.Time `json:"stream_created"`
	Seq        uint64    `json:"seq"`             // through which everything is indexed or refused
	Stored     time.Time `json:"stored,omitzero"` // when the event there was stored
	Rows       uint64    `json:"rows"`            // that the index took since it was empty
	Refused    Refused   `json:"refused,omitzero"`
	Rebuilding bool      `json:"rebuilding,omitempty"` // it was dropped and has not caught up since
	At         time.Time `json:"at"`
}

const checkpointVersion = 1

func (c checkpoint) point() scan.Point {
	return scan.Point{Created: c.Created, Seq: c.Seq, At: c.Stored}
}

// checkpoints keep an index's checkpoint.
type checkpoints interface {
	// load returns the checkpoint; false: there is none.
	load(ctx context.Context) (checkpoint, bool, error)
	// save replaces the one that was loaded or saved last. Its error matches
	// pipeline.ErrChanged if somebody else has done so meanwhile.
	save(ctx context.Context, c checkpoint) error
}

// checkpointFile keeps the checkpoint of an embedded index in its directory, so that it
// goes when the directory goes.
type checkpointFile struct{ dir string }

const checkpointName = "checkpoint.json"

func (f checkpointFile) load(context.Context) (checkpoint, bool, error) {
	data, err := os.ReadFile(filepath.Join(f.dir, checkpointName))
	if errors.Is(err, os.ErrNotExist) {
		return checkpoint{}, false, nil
	}
	if err != nil {
		return checkpoint{}, false, fmt.Errorf("read the index's checkpoint: %w", err)
	}
	c, ok := parseCheckpoint(data)
	return c, ok, nil
}

// parseCheckpoint returns false for one that says nothing to this version.
func parseCheckpoint(data []byte) (c checkpoint, ok bool) {
	err := json.Unmarshal(data, &c)
	return c, err == nil && c.Version == checkpointVersion
}

func (f checkpointFile) save(_ context.Context, c checkpoint) error {
	if err := f.write(jets.Encode(c)); err != nil {
		return fmt.Errorf("write the index's checkpoint: %w", err)
	}
	return nil
}

// write replaces the file: after a crash either the former one is there or this one.
func (f checkpointFile) write(data []byte) error {
	path := filepath.Join(f.dir, checkpointName)
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(data, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// checkpointKey keeps the checkpoint of a remote index in the bucket CURSORS.
type checkpointKey struct {
	conn     *jets.Conn
	revision uint64 // that was read or written last; 0: none
}

// checkpointKeyName has no kind's name before it, as an instance's key has.
const checkpointKeyName = "search-index"

func (k *checkpointKey) load(ctx context.Context) (checkpoint, bool, error) {
	m, err := k.conn.Value(ctx, jets.BucketCursors, checkpointKeyName)
	if err != nil {
		return checkpoint{}, false, fmt.Errorf("read the index's checkpoint: %w", err)
	}
	k.revision = m.Seq
	c, ok := parseCheckpoint(m.Data)
	return c, ok, nil
}

func (k *checkpointKey) save(ctx context.Context, c checkpoint) error {
	m := nats.NewMsg("")
	m.Data = jets.Encode(c)
	revision, err := k.conn.Put(ctx, jets.BucketCursors, checkpointKeyName, k.revision, m)
	if errors.Is(err, pipeline.ErrChanged) {
		return fmt.Errorf("another process writes the index: %w", err)
	}
	if err != nil {
		return fmt.Errorf("write the index's checkpoint: %w", err)
	}
	k.revision = revision
	return nil
}
