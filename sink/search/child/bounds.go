package child

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/timeutil"
)

// Bounds of requests that VictoriaLogs has none for. Its own limits of concurrency, time and
// memory are for queries; a histogram fills its gaps, and a tail runs, outside of them.
const (
	mostBars      = 11_000    // of a histogram; its work grows with their square
	mostPoints    = 1_000_000 // bars of all series
	mostTails     = 64        // at a time
	leastRefresh  = 200 * time.Millisecond
	mostTailStart = time.Hour // a tail holds what it begins with in memory
)

// bounds limits requests. It is safe for concurrent use.
type bounds struct {
	days  string // the directory of the days that the store has
	tails chan struct{}
}

func newBounds(dir string) *bounds {
	return &bounds{days: filepath.Join(dir, "partitions"), tails: make(chan struct{}, mostTails)}
}

// Begin bounds a request, or refuses it with an error and its status. Otherwise end must be
// called.
func (b *bounds) Begin(r *http.Request) (end func(), status int, err error) {
	switch strings.ReplaceAll(r.URL.Path, "//", "/") {
	case "/select/logsql/hits":
		return func() {}, http.StatusBadRequest, b.histogram(r)
	case "/select/logsql/tail":
		return b.tail(r)
	}
	return func() {}, 0, nil
}

// histogram refuses a step that is too small for the time range, and merges the smallest
// series if there are too many for their bars.
func (b *bounds) histogram(r *http.Request) error {
	step, ok := logstorage.TryParseDuration(r.FormValue("step"))
	if !ok || step <= 0 {
		return nil // VictoriaLogs says so
	}
	first, last := b.stored()
	from, to := argument(r, "start", first), argument(r, "end", last)
	bars := (float64(to) - float64(from)) / float64(step)
	if bars > mostBars {
		return fmt.Errorf("a step of %s makes %.0f bars, and there can be %d: ask with a larger step, or for less time by start and end", r.FormValue("step"), bars, mostBars)
	}
	series := mostPoints / max(1, int(bars)+2)
	if limit, err := strconv.Atoi(r.FormValue("fields_limit")); r.Form.Has("field") && (err == nil && (limit == 0 || limit > series) || r.FormValue("fields_limit") == "") {
		r.Form.Set("fields_limit", strconv.Itoa(series))
	}
	return nil
}

// stored returns the time from the first day of the store to the end of the last.
func (b *bounds) stored() (from, to int64) {
	days, _ := os.ReadDir(b.days) // in order; none: there is nothing to count
	for _, d := range days {
		day, err := time.Parse("20060102", d.Name())
		if err != nil {
			continue
		}
		if from == 0 {
			from = day.UnixNano()
		}
		to = day.AddDate(0, 0, 1).UnixNano()
	}
	return from, to
}

// argument returns the time of an argument.
func argument(r *http.Request, name string, missing int64) int64 {
	text := r.FormValue(name)
	if text == "" {
		return missing
	}
	at, err := timeutil.ParseTimeAt(text, time.Now().UnixNano())
	if err != nil {
		return missing // VictoriaLogs says so
	}
	return at
}

// tail takes one of the places of tails, and bounds how often it asks, and how far back it
// begins.
func (b *bounds) tail(r *http.Request) (end func(), status int, err error) {
	if every, ok := logstorage.TryParseDuration(r.FormValue("refresh_interval")); ok && every > 0 && every < int64(leastRefresh) {
		r.Form.Set("refresh_interval", leastRefresh.String())
	}
	if start, ok := logstorage.TryParseDuration(r.FormValue("start_offset")); ok && start > int64(mostTailStart) {
		r.Form.Set("start_offset", mostTailStart.String())
	}
	select {
	case b.tails <- struct{}{}:
		return func() { <-b.tails }, 0, nil
	default:
		return nil, http.StatusServiceUnavailable, fmt.Errorf("there are %d live tails already: end one, or try again later", mostTails)
	}
}
