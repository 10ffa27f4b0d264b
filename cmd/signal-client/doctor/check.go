package doctor

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

// outcome is the result of a check.
type outcome string

const (
	outcomeOK      outcome = "ok"
	outcomeWarning outcome = "warning"
	outcomeWrong   outcome = "wrong"
	outcomeSkipped outcome = "skipped"
)

// outcomes lists all, from good to bad, then skipped.
var outcomes = []outcome{outcomeOK, outcomeWarning, outcomeWrong, outcomeSkipped}

// Groups of checks.
const (
	groupNATS     = "nats"
	groupStreams  = "streams"
	groupFleet    = "fleet"
	groupInstance = "instance"
	groupMachine  = "machine"
)

// finding is the result of one check.
type finding struct {
	Group    string  `json:"group"`
	Instance string  `json:"instance,omitempty"` // in the group instance
	Check    string  `json:"check"`
	Result   outcome `json:"result"`
	Found    string  `json:"found"`
	Remedy   string  `json:"remedy,omitempty"`
}

// check is one check, or several that depend on each other.
type check struct {
	group, instance, check string
	run                    func(ctx context.Context) []finding
}

// one returns a check with one observation.
func one(group, name string, run func(ctx context.Context, d *observation)) check {
	return check{group: group, check: name, run: func(ctx context.Context) []finding {
		var d observation
		run(ctx, &d)
		return []finding{d.finding(group, "", name)}
	}}
}

// skipped returns a check that only says why it was not made.
func skipped(group, check, why string) check {
	return one(group, check, func(_ context.Context, d *observation) { d.skip(why) })
}

// failed returns a check that only says why it could not be made.
func failed(group, check string, err error) check {
	return one(group, check, func(_ context.Context, d *observation) { d.failed(err) })
}

// observation collects what one check finds. Its worst finding is the result, else its facts.
type observation struct {
	result          outcome // empty: ok
	facts, problems []string
	remedies        []string
}

func (d *observation) fact(format string, args ...any) {
	d.facts = append(d.facts, fmt.Sprintf(format, args...))
}

func (d *observation) warn(found, remedy string) {
	if d.result != outcomeWrong {
		d.result = outcomeWarning
	}
	d.problem(found, remedy)
}

func (d *observation) wrong(found, remedy string) {
	d.result = outcomeWrong
	d.problem(found, remedy)
}

func (d *observation) problem(found, remedy string) {
	d.problems = append(d.problems, found)
	if remedy != "" {
		d.remedies = append(d.remedies, remedy)
	}
}

func (d *observation) failed(err error) { d.wrong(err.Error(), problem.Hint(err)) }

// grade reports text: as wrong or as a warning, with the remedy, or as a fact.
func (d *observation) grade(wrong, warning bool, text, remedy string) {
	switch {
	case wrong:
		d.wrong(text, remedy)
	case warning:
		d.warn(text, remedy)
	default:
		d.fact("%s", text)
	}
}

func (d *observation) skip(why string) { d.result, d.facts = outcomeSkipped, []string{why} }

func (d *observation) finding(group, instance, check string) finding {
	return finding{Group: group, Instance: instance, Check: check, Result: cmp.Or(d.result, outcomeOK),
		Found: cmp.Or(strings.Join(d.problems, "; "), strings.Join(d.facts, ", ")), Remedy: strings.Join(d.remedies, "; ")}
}

const (
	mostChecks = 16 // at a time
	overtime   = 500 * time.Millisecond
)

// perform runs all checks, mostChecks at a time, each within limit; findings are in order.
func perform(ctx context.Context, checks []check, limit time.Duration) []finding {
	results := make([][]finding, len(checks))
	slots := make(chan struct{}, mostChecks)
	var wg sync.WaitGroup
	for n, e := range checks {
		slots <- struct{}{}
		wg.Go(func() {
			results[n] = e.within(ctx, limit)
			<-slots
		})
	}
	wg.Wait()
	var all []finding
	for _, found := range results {
		all = append(all, found...)
	}
	return all
}

// within runs a check within limit. One that ignores its context, such as reading a file
// on a dead network file system, is abandoned: the process ends soon.
func (e check) within(ctx context.Context, limit time.Duration) []finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan []finding, 1)
	go func() { done <- e.run(ctx) }()
	late := time.NewTimer(limit + overtime)
	defer late.Stop()
	select {
	case found := <-done:
		return found
	case <-late.C:
		var d observation
		d.wrong(fmt.Sprintf("not finished within %s", limit), "check whether what it reads hangs, or allow more time: --timeout")
		return []finding{d.finding(e.group, e.instance, e.check)}
	}
}
