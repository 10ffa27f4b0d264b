package oktatest

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// generator makes realistic events. Its org's mutex guards it.
type generator struct {
	rand *rand.Rand
	cast cast
	kind chooser
	even bool // as in Config
}

func newGenerator(seed uint64) *generator {
	r := chance(seed, chanceEvent, 0)
	return &generator{rand: r, cast: newCast(r), kind: newChooser()}
}

// render makes the next event. If uuid is empty, it chooses one.
func (g *generator) render(uuid string, published time.Time) (string, []byte) {
	if uuid == "" {
		uuid = g.uuid()
	}
	return uuid, g.play(g.kind.pick(g.rand), uuid, published)
}

// tell makes an event of one kind.
func (g *generator) tell(k kind, published time.Time) (string, []byte) {
	uuid := g.uuid()
	return uuid, g.play(k, uuid, published)
}

func (g *generator) play(k kind, uuid string, published time.Time) []byte {
	s := g.newScene(published)
	k.play(s)
	e := s.event(uuid)
	if g.rand.IntN(8) == 0 { // the order of members has no meaning, and does vary
		g.rand.Shuffle(len(e), func(i, j int) { e[i], e[j] = e[j], e[i] })
	}
	return appendJSON(make([]byte, 0, 2048), e, g.rand.IntN(6) == 0)
}

// uuid returns a uuid like Okta's: mostly random, sometimes time-based.
func (g *generator) uuid() string {
	version := uint64(4)
	if g.rand.IntN(3) == 0 {
		version = 1
	}
	return formatUUID(g.rand.Uint64(), g.rand.Uint64(), version)
}

func formatUUID(high, low, version uint64) string {
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(high>>(56-8*i)), byte(low>>(56-8*i))
	}
	b[6] = b[6]&0x0f | byte(version<<4)
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// lag returns a random time from an event's publication to its persistence.
func (g *generator) lag(l Lag) time.Duration {
	if g.rand.Float64() < l.Late {
		return time.Minute + time.Duration(g.rand.Float64()*float64(max(0, l.LateBy-time.Minute)))
	}
	return time.Duration(g.rand.ExpFloat64() * float64(max(0, l.Typical)))
}

// times returns n random times in order, distributed by rhythm unless they are to be
// even.
func (g *generator) times(n int, from time.Time, over time.Duration) []time.Time {
	at := make([]time.Time, 0, n)
	for len(at) < n {
		t := from.Add(time.Duration(g.rand.Float64() * float64(over)))
		if g.even || g.rand.Float64() < rhythm(t) {
			at = append(at, t.UTC().Truncate(time.Millisecond))
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return at
}

// rhythm returns an org's activity at a time, above 0 and at most 1: high during the
// working day, with a dip at noon, low at night and at weekends.
func rhythm(t time.Time) float64 {
	t = t.UTC()
	hour := float64(t.Hour()) + float64(t.Minute())/60
	busy := math.Exp(-math.Pow((hour-9.5)/2.2, 2)) + 0.8*math.Exp(-math.Pow((hour-15)/2.8, 2))
	if day := t.Weekday(); day == time.Saturday || day == time.Sunday {
		busy *= 0.2
	}
	return min(1, 0.08+0.85*busy)
}

// publishedText formats a time as events do.
func publishedText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// address returns one of a place's addresses.
func (g *generator) address(p place) string {
	return fmt.Sprintf("%s.%d", p.net, 1+g.rand.IntN(254))
}
