package page

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// funcs are the functions of all templates.
func funcs(assets *static) template.FuncMap {
	return template.FuncMap{
		"static":  assets.url,
		"count":   Count,
		"age":     func(t time.Time) timeElement { return timeElement{t, "age"} },
		"clock":   func(t time.Time) timeElement { return timeElement{t, "clock"} },
		"span":    func(t time.Time) timeElement { return timeElement{t, "span"} },
		"share":   func(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) },
		"until":   func(t time.Time) timeElement { return timeElement{t, "until"} },
		"current": current,
	}
}

// timeElement is what the template "time" shows. As is age ("3 min ago"), span ("3
// min", since then), until ("in 40 s") or clock (date and time). The server writes UTC; time.js turns it to the
// reader's zone.
type timeElement struct {
	At time.Time
	As string
}

// RFC3339 is the value of the attribute datetime.
func (e timeElement) RFC3339() string { return e.At.UTC().Format("2006-01-02T15:04:05.000Z") }

// UTC is the title.
func (e timeElement) UTC() string { return e.At.UTC().Format("2006-01-02 15:04:05 UTC") }

// Text is what is shown until time.js has run.
func (e timeElement) Text() string {
	switch e.As {
	case "age":
		return Span(time.Since(e.At)) + " ago"
	case "span":
		return Span(time.Since(e.At))
	case "until":
		return "in " + Span(time.Until(e.At))
	}
	return e.UTC()
}

// Span writes a duration in its largest unit, as time.js does: 40 s, 3 min, 5 h, 12 d.
func Span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// Count writes a whole number with separators: 812,000.
func Count(n any) string {
	digits := fmt.Sprint(n)
	sign := ""
	if rest, negative := strings.CutPrefix(digits, "-"); negative {
		sign, digits = "−", rest
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// current is the attribute value of a link of the navigation.
func current(path, link string) string {
	switch {
	case path == link:
		return "page"
	case link != "/" && strings.HasPrefix(path, link+"/"):
		return "true"
	}
	return "false"
}
