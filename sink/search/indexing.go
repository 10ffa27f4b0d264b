package search

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What the indexer asks of an index.

// askTime bounds a question of the indexer.
const askTime = time.Minute

// ready returns an error while the index does not answer.
func (x *Index) ready(ctx context.Context) error {
	_, err := x.count(ctx, "_time:1s")
	return err
}

// insert adds rows. After an error it is unknown which of them the index has.
func (x *Index) insert(ctx context.Context, lines []byte) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	path := "/insert/jsonline?_stream_fields=" + FieldInstance
	if x.native {
		path = nativePath
	}
	answer, err := x.post(ctx, path, nil, "application/octet-stream", bytes.NewReader(lines))
	return done(accepted("add rows to the index", answer, err))
}

// flush makes the rows that were added visible to searches. It does not make them
// durable: VictoriaLogs writes what is in memory every Config.WriteEvery (v1.52.1, lib/logstorage,
// datadb.debugFlush and inmemoryPartsFlusher).
func (x *Index) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer, err := x.post(ctx, "/internal/force_flush", nil, "text/plain", nil)
	return done(accepted("make the index's rows visible", answer, err))
}

// done reads an answer to its end, so that its connection is used again.
func done(answer *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// inMemory returns how many rows the index has in memory only; false: it does not say, as
// a cluster.
func (x *Index) inMemory(ctx context.Context) (rows uint64, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer, err := x.post(ctx, "/metrics", nil, "text/plain", nil)
	if answer, err = accepted("read the index's metrics", answer, err); err != nil {
		return 0, false, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	found := 0
	for lines.Scan() {
		for _, name := range []string{`vl_storage_rows{type="storage/inmemory"} `, `vl_pending_rows{type="storage"} `} {
			if text, ok := strings.CutPrefix(lines.Text(), name); ok {
				n, _ := strconv.ParseUint(text, 10, 64)
				rows += n
				found++
			}
		}
	}
	return rows, found == 2, lines.Err()
}

// rows is what one line of an answer holds.
type rows struct {
	Seq    uint64    `json:"seq,string"`
	Stored time.Time `json:"stored"`
	N      uint64    `json:"n,string"`
	Unique uint64    `json:"unique,string"`
}

// each calls visit with each line of the answer to a query.
func (x *Index) each(ctx context.Context, query string, visit func(rows)) error {
	answer, err := x.Get(ctx, "/select/logsql/query", url.Values{"query": {query}})
	if answer, err = accepted("search the index", answer, err); err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewReaderSize(answer.Body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("search the index: %w", err)
		}
		var r rows
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("search the index: %w", err)
		}
		visit(r)
	}
}

// count counts the rows that a query finds.
func (x *Index) count(ctx context.Context, query string) (n uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err = x.each(ctx, query+" | stats count() n", func(r rows) { n = r.N })
	return n, err
}

// countBetween counts the rows after one sequence up to another, whose events happened
// between two times, and how many sequences they have.
func (x *Index) countBetween(ctx context.Context, after, through uint64, from, until time.Time) (n, unique uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	query := fmt.Sprintf("_time:[%s, %s] seq:>%d seq:<=%d | stats count() n, count_uniq(seq) unique",
		from.UTC().Format(time.RFC3339Nano), until.UTC().Format(time.RFC3339Nano), after, through)
	err = x.each(ctx, query, func(r rows) { n, unique = r.N, r.Unique })
	return n, unique, err
}

// after returns the sequences above one that the index has.
func (x *Index) after(ctx context.Context, seq uint64) (kept, error) {
	k := kept{seqs: map[uint64]struct{}{}}
	err := x.each(ctx, fmt.Sprintf("seq:>%d | fields seq, stored", seq), func(r rows) {
		if _, twice := k.seqs[r.Seq]; twice {
			k.twice++
		}
		k.seqs[r.Seq] = struct{}{}
		if r.Seq > k.highest {
			k.highest, k.stored = r.Seq, r.Stored
		}
	})
	return k, err
}

// kept is what an index has above its checkpoint.
type kept struct {
	seqs    map[uint64]struct{}
	twice   int       // rows that it has more than once
	highest uint64    // 0: it has none
	stored  time.Time // of the highest
}

// has reports whether the index has a row, and forgets it: it is asked about once.
func (k *kept) has(seq uint64) bool {
	_, ok := k.seqs[seq]
	delete(k.seqs, seq)
	return ok
}

// deleteAll deletes every row of ours, where the index allows that.
func (x *Index) deleteAll(ctx context.Context) error {
	answer, err := x.post(ctx, "/delete/run_task", url.Values{"filter": {"seq:*"}}, "text/plain", nil)
	return done(accepted("delete the index's rows", answer, err))
}
