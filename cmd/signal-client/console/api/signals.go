package api

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
)

// signal is the document of a stored event.
type signal struct {
	Seq      uint64          `json:"seq"`
	Instance string          `json:"instance"`
	Subject  string          `json:"subject"`
	Stored   time.Time       `json:"stored"`
	Headers  nats.Header     `json:"headers"`
	Data     string          `json:"data"`             // the exact bytes; encoded in base64 if they are no UTF-8
	Base64   bool            `json:"base64,omitempty"` // Data is encoded
	Event    json.RawMessage `json:"event,omitempty"`  // the same, if it is JSON
}

func (a *api) signal(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil || seq == 0 {
		a.fail(w, r, bad(http.StatusBadRequest, "seq", "it is no sequence of the stream", "write a number from 1 on"))
		return
	}
	e, err := scan.At(r.Context(), a.Store.Conn, a.Store.Kinds, seq)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("ETag", etag(seq))
	w.Header().Set("Vary", "Accept")
	if wantsBytes(r.Header.Get("Accept")) {
		a.bytes(w, e)
		return
	}
	answer(w, http.StatusOK, documentOf(e))
}

// bytes answers with an event's exact bytes.
func (a *api) bytes(w http.ResponseWriter, e *scan.Stored) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+e.Instance+"-"+strconv.FormatUint(e.Seq, 10)+`.json"`)
	h.Set("Content-Length", strconv.Itoa(len(e.Data)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(e.Data) // the client is gone
}

func documentOf(e *scan.Stored) signal {
	s := signal{Seq: e.Seq, Instance: e.Instance, Subject: jets.SubjectEvents(e.Kind.Name, e.Instance), Stored: e.At.UTC(), Headers: e.Header}
	if utf8.Valid(e.Data) {
		s.Data = string(e.Data)
	} else {
		encoded, _ := json.Marshal(e.Data) // bytes are always encoded
		s.Data, s.Base64 = strings.Trim(string(encoded), `"`), true
	}
	if json.Valid(e.Data) {
		s.Event = e.Data
	}
	return s
}

// wantsBytes reports whether Accept prefers the bytes to a document.
func wantsBytes(accept string) bool {
	best, bytes := -1.0, false
	for part := range strings.SplitSeq(accept, ",") {
		kind, parameters, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		q := 1.0
		if given, err := strconv.ParseFloat(parameters["q"], 64); err == nil {
			q = given
		}
		if q > best {
			best, bytes = q, kind == "application/octet-stream"
		}
	}
	return bytes
}
