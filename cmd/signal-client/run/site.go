package run

import (
	"net"
	"net/http"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
)

// site is an address, and what is served there.
type site struct {
	net.Listener
	certificate *certificate // nil: without TLS
	handler     http.Handler
}

// sites opens the addresses at which the service is reached.
func (s *Service) sites() ([]site, error) {
	c := s.Config.Process
	if c.MetricsAddr == "" {
		at, err := s.main(s.Handler())
		return []site{at}, err
	}
	ln, err := listenHTTP("SIGNAL_CLIENT_METRICS_ADDR", c.MetricsAddr)
	if err != nil {
		return nil, err
	}
	own := site{Listener: ln, handler: s.own()}
	s.Log.Info("http: serving /healthz /readyz /metrics", "url", "http://"+config.Reachable(ln.Addr().String()))
	if s.Console == nil {
		return []site{own}, nil
	}
	at, err := s.main(s.Console.Handler(nil, s.ready.Reasons))
	return []site{own, at}, err
}

// main opens SIGNAL_CLIENT_HTTP_ADDR.
func (s *Service) main(handler http.Handler) (site, error) {
	c := s.Config.Process
	certificate, err := openCertificate(c.TLSCert, c.TLSKey, s.Log)
	if err != nil {
		return site{}, err
	}
	ln, err := listenHTTP("SIGNAL_CLIENT_HTTP_ADDR", c.HTTPAddr)
	if err != nil {
		return site{}, err
	}
	url := "http://" + config.Reachable(ln.Addr().String())
	if certificate != nil {
		url = "https://" + config.Reachable(ln.Addr().String())
	}
	if s.Console != nil {
		s.Log.Info("console: open " + url + "/")
	}
	if c.MetricsAddr == "" {
		s.Log.Info("http: serving /healthz /readyz /metrics", "url", url)
	}
	return site{Listener: ln, certificate: certificate, handler: handler}, nil
}

// Handler serves /healthz, /readyz and /metrics of a service that runs, and the console.
func (s *Service) Handler() http.Handler {
	if s.Console == nil {
		return s.own()
	}
	return s.Console.Handler(s.own(), s.ready.Reasons)
}

// own serves /healthz, /readyz and /metrics.
func (s *Service) own() http.Handler {
	return newMux(s.ready.Reasons, s.ready.Notes, s.metrics.Handler())
}
