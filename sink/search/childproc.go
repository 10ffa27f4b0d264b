package search

import "time"

// What this process and its child tell each other.
type (
	// ChildSettings are sent to the child's standard input, as one JSON object.
	ChildSettings struct {
		Dir       string        `json:"dir"`
		Password  string        `json:"password"` // of ChildUser; another one at each start
		Memory    int64         `json:"memory"`
		LeastFree int64         `json:"least_free"` // bytes of the disk that it leaves free
		Retention time.Duration `json:"retention"`
	}
	// ChildReady is what the child writes to its standard output when it answers.
	ChildReady struct {
		URL string `json:"url"`
	}
)

// ChildUser is the user's name that the child accepts.
const ChildUser = "signal-client"

// MaxLine is the longest line that is sent to an index. VictoriaLogs takes rows of at
// most 2 MiB, by an estimate that may be somewhat above a line's length.
const MaxLine = 2<<20 - 64<<10
