package fleetpages

import (
	"encoding/json"
	"net/http"
	"strings"
)

// cleaned is what the form shows of a pasted host name.
type cleaned struct {
	Host  string `json:"host,omitempty"`  // of the field; with a scheme where that is not https
	Wrong string `json:"wrong,omitempty"` // why there is no host name in it
}

// clean answers with the host name in what was pasted, as it will be saved.
func (p *pages) clean(w http.ResponseWriter, r *http.Request) {
	var c cleaned
	origin, err := p.Kind.Clean(r.FormValue("fqdn"))
	if err != nil {
		c.Wrong = "This " + err.Error()
	} else if host, secure := strings.CutPrefix(origin, "https://"); secure {
		c.Host = host
	} else {
		c.Host = origin
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(c) // the reader is gone: nobody to tell
}
