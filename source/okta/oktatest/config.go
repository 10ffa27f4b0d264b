package oktatest

import "time"

// Config is what an Org is made from. Its zero value is an org with an empty
// log, 120 requests a minute, half of them for each token, that accepts any
// token.
type Config struct {
	Seed   uint64        // of everything drawn by chance: two orgs of one seed and clock are alike
	Origin string        // scheme and host that links name; empty: those of the request
	Tokens []string      // API tokens that are accepted; empty: any
	Skew   time.Duration // how far the org's clock is ahead of ours

	Links Links // how next links look
	Rate  Rate  // how many requests it takes
	Lag   Lag   // how long after they happened generated events are persisted
	Even  bool  // generated events are spread without a day's rhythm: but for their times, they are the same at any time of it

	RepeatWithin float64 // chance that a page holds one of its events twice
	RepeatAcross float64 // chance that a page begins with the event that the page before ended with

	Conflicts float64 // chance that an event that comes again has other bytes

	ShortPages float64 // chance that a page is shorter than its limit though more is waiting; a third of those that follow the log are empty and lead on, at most two in a row

	PageMost int // elements of a page at most, whatever limit was asked for; 0: as many as that

	Identity bool // never compress an answer
	Requests int  // how many requests Requests keeps; 0: 10,000; negative: none

	Synthesize Synthesize // a long log to start with, made on demand
}

// Retention is how long an org keeps its log, and Refusal how far back a since
// may lie at most. Between the two a query succeeds and finds nothing.
// Source: Okta's System Log query guide, read 2026-08-21.
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

// Lag is how long after they were published generated events are persisted.
type Lag struct {
	Typical time.Duration // mean of the usual lag; 0: 1.5 s; negative: none
	Late    float64       // share of events that come late; 0: 1 in 500; negative: none
	LateBy  time.Duration // longest that a late one takes; 0: 6 h
	Index   time.Duration // how long after its persistence bounded requests still miss an event
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
