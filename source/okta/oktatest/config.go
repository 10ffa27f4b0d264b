package oktatest

import "time"

// Config is the configuration of an Org. The zero value is an org with an empty log, 120
// requests per minute, half of them per token, that accepts any token.
type Config struct {
	Seed   uint64        // of all random choices: two orgs with the same seed and clock are equal
	Origin string        // scheme and host in links; empty: the request's
	Tokens []string      // accepted API tokens; empty: any
	Skew   time.Duration // how far the org's clock is ahead

	Links Links // form of next links
	Rate  Rate  // limits of requests
	Lag   Lag   // how long after their publication generated events are persisted
	Even  bool  // spread generated events evenly, without a daily rhythm: then only their times depend on the time of day

	RepeatWithin float64 // probability that a page has one of its events twice
	RepeatAcross float64 // probability that a page begins with the last event of the previous page

	Conflicts float64 // probability that a repeated event has other bytes

	ShortPages float64 // probability that a page is shorter than its limit although more is waiting; a third of those that follow the log are empty but have a next link, at most two in a row

	PageMost int // most elements of a page, whatever its limit; 0: no bound

	Identity bool // never compress answers
	Requests int  // how many requests Requests returns; 0: 10,000; negative: none

	Synthesize Synthesize // a long initial log, made on demand

	// Most bounds the memory of an org that runs for long: the log keeps at least this many
	// of its newest added events, and at most a fifth more. 0: all.
	Most int
}

// Retention is how long an org keeps its log, and Refusal the oldest since that it
// accepts. Between the two a query succeeds and finds nothing. Source: Okta's System Log
// query guide, read 2026-08-21.
const (
	Retention = 90 * 24 * time.Hour
	Refusal   = 180 * 24 * time.Hour
)

const (
	defaultLimit    = 100
	maxLimit        = 1000
	defaultSince    = 7 * 24 * time.Hour
	defaultRequests = 10_000
)

// Lag is how long after their publication generated events are persisted.
type Lag struct {
	Typical time.Duration // mean of the usual lag; 0: 1.5 s; negative: none
	Late    float64       // share of late events; 0: 1 in 500; negative: none
	LateBy  time.Duration // longest lag of a late event; 0: 6 h
	Index   time.Duration // how long after its persistence bounded requests miss an event
}

func (c Config) withDefaults() Config {
	if c.Requests == 0 {
		c.Requests = defaultRequests
	}
	c.Rate = c.Rate.withDefaults()
	c.Lag = c.Lag.withDefaults()
	return c
}

func (l Lag) withDefaults() Lag {
	if l.Typical == 0 {
		l.Typical = 1500 * time.Millisecond
	}
	if l.Late == 0 {
		l.Late = 0.002
	}
	if l.LateBy == 0 {
		l.LateBy = 6 * time.Hour
	}
	return l
}
