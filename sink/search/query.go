package search

// Query returns the LogsQL of what a user typed.
func Query(typed string) string { return typed }

// QueryError is a query that VictoriaLogs refuses.
type QueryError struct {
	Query  string // as typed
	Offset int    // of the place that is wrong, in runes of Query
	Text   string // what is wrong there
}

// Error implements error.
func (e *QueryError) Error() string { return e.Text }

// Complaint returns the error of a query that VictoriaLogs refused with status 400 and
// this body.
func Complaint(typed string, body []byte) *QueryError {
	return &QueryError{Query: typed, Text: string(body)}
}
