package pipeline

// Reading is how people read events of a kind. Its functions accept any JSON. The zero
// value tells nothing.
type Reading struct {
	// Columns are the members of an event that a table shows at first, and Facets those
	// whose values are counted beside it, both as dotted names.
	Columns, Facets []string

	Story     func(data []byte) Story
	Relations func(data []byte) []Relation
}

// Story is what an event tells: who did what to whom, from where, with which result. What
// the event does not say is empty.
type Story struct {
	Actor   string   // who
	Act     string   // did what, in the source's words
	Targets []string // to whom or what
	From    string   // an address, and its place
	Result  string
	Reason  string // of the result
}

// Relation is what an event shares with others, such as its session.
type Relation struct {
	Name  string // such as session
	Field string // dotted name
	Value string // of this event, never empty
}
