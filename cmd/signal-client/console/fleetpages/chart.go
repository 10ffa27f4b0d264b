package fleetpages

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// chart is a line over time in a box of len(values)-1 by 100 units, which the page
// stretches.
type chart struct {
	Line, Area string // of SVG paths
	Width      int
	Now, Most  string // figures
}

// chartOf draws figures as fleet.js does.
func chartOf(values []float64) chart {
	if len(values) < 2 {
		return chart{Width: 1, Now: "0", Most: "0"}
	}
	most := slices.Max(values)
	c := chart{Width: len(values) - 1, Now: rate(values[len(values)-1]), Most: rate(most)}
	points := make([]string, len(values))
	for n, v := range values {
		y := 98.0
		if most > 0 {
			y = 98 - 94*v/most
		}
		points[n] = fmt.Sprintf("%d %.1f", n, y)
	}
	c.Line = "M" + strings.Join(points, "L")
	c.Area = fmt.Sprintf("%sL%d 100L0 100Z", c.Line, c.Width)
	return c
}

// rate writes events a second: 0.12, 3.4, 120.
func rate(v float64) string {
	switch {
	case v == 0 || v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// bars draws counts as columns in a box of len(values) by 20 units, as tile.js does. A
// count above 0 can be seen.
func bars(values []uint32) string {
	if len(values) == 0 {
		return ""
	}
	most := max(slices.Max(values), 1)
	var d strings.Builder
	for n, v := range values {
		if v > 0 {
			height := max(20*float64(v)/float64(most), 1.5)
			fmt.Fprintf(&d, "M%.1f 20v-%.1fh.8v%.1fz", float64(n)+.1, height, height)
		}
	}
	return d.String()
}
