package fleetpages

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
)

// attentionMost is how many integrations the fleet's page names.
const attentionMost = 10

// fleetShown is the data of the page "/".
type fleetShown struct {
	*view.Fleet
	Segments  []segment
	Attention []view.Integration
	More      int // integrations that need attention, besides those
	Chart     chart
	Letters   []view.Integration // with dead letters, most first
}

// segment is a part of the distribution bar.
type segment struct {
	view.StateCount
	From, Width string // in per cent of the bar
}

func (p *pages) fleet(w http.ResponseWriter, r *http.Request) {
	f := p.View.Fleet()
	need := f.Attention()
	first := need[:min(len(need), attentionMost)]
	p.Page.Render(w, r, http.StatusOK, "fleet/fleet", fleetShown{
		Fleet: f, Segments: segments(f.States), Attention: first, More: len(need) - len(first),
		Chart: chartOf(f.PerSecond), Letters: letters(f.Integrations),
	})
}

// segments divides a bar. Each state has a width that can be seen and clicked, however
// few integrations are in it.
func segments(states []view.StateCount) []segment {
	const least = 2.5
	total := 0
	for _, s := range states {
		total += s.Count
	}
	all := make([]segment, 0, len(states))
	from, rest := 0.0, 100-least*float64(len(states))
	for _, s := range states {
		width := least + rest*float64(s.Count)/float64(total)
		all = append(all, segment{StateCount: s, From: percent(from), Width: percent(width)})
		from += width
	}
	return all
}

func percent(x float64) string { return fmt.Sprintf("%.2f%%", x) }

// letters returns the integrations with dead letters, those with most first.
func letters(all []view.Integration) []view.Integration {
	some := slices.DeleteFunc(slices.Clone(all), func(i view.Integration) bool { return i.DeadLetters == 0 })
	slices.SortStableFunc(some, func(a, b view.Integration) int { return int(b.DeadLetters) - int(a.DeadLetters) })
	return some[:min(len(some), attentionMost)]
}
