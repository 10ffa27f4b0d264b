package jets

import (
	"testing"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta"
)

var oktaKinds = []*pipeline.Kind{okta.Kind}

func TestMain(m *testing.M) {
	jetstest.Main(m)
}

// dial connects to a test's server as the program does.
func dial(t *testing.T, s *jetstest.Server) *Conn {
	t.Helper()
	return dialAs(t, s, Dialer{})
}

func dialAs(t *testing.T, s *jetstest.Server, d Dialer) *Conn {
	t.Helper()
	c, err := d.Connect(t.Context(), "", s.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
