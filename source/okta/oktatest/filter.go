package oktatest

func parseFilter(string) (func(*record) bool, *apiError)   { return nil, nil }
func parseKeywords(string) (func(*record) bool, *apiError) { return nil, nil }
