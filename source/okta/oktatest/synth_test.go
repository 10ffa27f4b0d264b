package oktatest

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestASynthesizedLogIsALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 1, Synthesize: Synthesize{Events: 1000, Size: 2000}, Rate: Rate{PerMinute: -1}})
		time.Sleep(time.Minute)
		o.Generate(100, time.Second)
		o.Warm(400)
		link, at := LogsPath+"?limit=400&since="+o.Now().Add(-25*time.Hour).Format(time.RFC3339), 0
		want := o.Events()
		for _, size := range []int{400, 400, 300} {
			a := ask(t, o, link)
			if len(a.elements) != size {
				t.Fatalf("page of %d, want %d: %v %.300s", len(a.elements), size, a.err, a.body)
			}
			for _, e := range a.elements {
				if string(e) != string(want[at].Data) || uuidOf(e) != want[at].UUID {
					t.Fatalf("element %d differs", at)
				}
				if at < 1000 && len(e) < 1990 {
					t.Fatalf("element %d has %d bytes", at, len(e))
				}
				at++
			}
			link = next(t, a)
		}
		if got := turn(t, o, between(o.Now().Add(-25*time.Hour), o.Now(), "&limit=1000")); len(got) != 1100 {
			t.Errorf("%d events in a bounded query, want 1100", len(got))
		}
	})
}

func BenchmarkPage(b *testing.B) {
	o := New(Config{Synthesize: Synthesize{Events: 300_000, Size: 2000}, Rate: Rate{PerMinute: -1}, Requests: -1})
	o.Warm(1000)
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			req, err := http.NewRequest(http.MethodGet, "https://tidewater.okta.example"+LogsPath+"?limit=1000", nil)
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Authorization", "SSWS x")
			req.Header.Set("Accept-Encoding", encoding)
			b.ReportAllocs()
			for b.Loop() {
				o.ServeHTTP(&sinkhole{header: make(http.Header)}, req)
			}
		})
	}
}

// sinkhole is a ResponseWriter that drops everything.
type sinkhole struct{ header http.Header }

func (s *sinkhole) Header() http.Header         { return s.header }
func (s *sinkhole) Write(p []byte) (int, error) { return len(p), nil }
func (s *sinkhole) WriteHeader(int)             {}
