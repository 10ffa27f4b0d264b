package helm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	core "k8s.io/api/core/v1"
)

// What the pods of each value file run works: the probes are answered, an org in the
// environment is polled, and helm test succeeds.
func TestStart(t *testing.T) {
	for file, kind := range valueFiles {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			s.around(file)
			all, _ := objects(t, file)
			template, _ := workload(t, all, kind)
			logs := s.start(template.Spec)
			service := template.Spec.Containers[0]
			for _, probe := range []*core.Probe{service.StartupProbe, service.LivenessProbe, service.ReadinessProbe} {
				said := ""
				s.eventually(probe.HTTPGet.Path, func() bool {
					var status int
					status, said = s.get(port(service, probe.HTTPGet.Port.StrVal), probe.HTTPGet.Path)
					return status == 200
				}, func() string { return said + "\n" + logs.String() })
			}
			if len(s.extra) > 0 || len(template.Spec.Containers) > 1 {
				s.eventually("events of acme", func() bool {
					_, metrics := s.get(port(service, "metrics"), "/metrics")
					return strings.Contains(metrics, `signal_client_events_total{integration="acme",origin="live"}`)
				}, logs.String)
			}
			if at := port(service, "console"); at > 0 {
				if status, body := s.get(at, "/login"); status != 200 || !strings.Contains(body, "OpenID Connect") && !strings.Contains(body, "/login/oidc") {
					t.Errorf("login: %d %s", status, body)
				}
				if status, _ := s.get(at, "/metrics"); status == 200 {
					t.Error("the console's address serves the metrics")
				}
			}
			test := one[*core.Pod](t, all).Spec
			var said []byte
			s.eventually("helm test", func() (ok bool) { // what was polled just now takes a moment to be in STATUS
				var err error
				said, err = s.command(test, test.Containers[0]).CombinedOutput()
				return err == nil && !strings.Contains(string(said), "SIGNAL_CLIENT_NATS_LISTEN has no effect")
			}, func() string { return string(said) + logs.String() })
			if strings.Contains(logs.String(), "a setting has no effect") {
				t.Errorf("the chart sets what has no effect:\n%s", logs)
			}
		})
	}
}

// start starts a pod's containers, and returns the service's log.
func (s *system) start(pod core.PodSpec) *safeBuffer {
	s.Helper()
	var first *safeBuffer
	for i, c := range pod.Containers {
		cmd := s.command(pod, c)
		// The default is a loopback address that all pods here would share.
		if env := strings.Join(cmd.Env, "\n"); !strings.Contains(env, "NATS_URL=") && !strings.Contains(env, "NATS_CONTEXT=") && !strings.Contains(env, "SIGNAL_CLIENT_NATS_LISTEN=") {
			cmd.Env = append(cmd.Env, "SIGNAL_CLIENT_NATS_LISTEN="+s.net+podAddress+":4222")
		}
		if log := s.process(cmd); i == 0 {
			first = log
		}
	}
	return first
}

func port(c core.Container, name string) int32 {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

// around makes what the pods of a value file need: Secrets, NATS servers, an org.
func (s *system) around(file string) {
	s.Helper()
	user := map[string]string{"user": "stage", "password": "p:a/s?s@word"}
	switch file {
	case "minimal":
		s.servers("", "nats.nats.svc")
	case "embedded":
		s.secrets = map[string]map[string]string{"nats-user": user, "okta-acme": {"api-token": "00abc\n"}}
		s.org("--token", "00abc")
	case "credentials":
		config, creds := operator(s.T)
		certs := certificates(s.T, s.net+serverAddress)
		s.servers(fmt.Sprintf("%s\ntls { ca_file: %q, cert_file: %q, key_file: %q, verify: true }", config,
			s.write("tls/ca.crt", certs["ca.crt"]), s.write("tls/tls.crt", certs["tls.crt"]), s.write("tls/tls.key", certs["tls.key"])), "nats")
		s.secrets = map[string]map[string]string{
			"signal-client-nats":     {"nats.creds": creds},
			"signal-client-nats-tls": certs,
			"nats-contexts":          {"stage.json": fmt.Sprintf(`{"description": "stage", "url": "tls://%s:4222"}`, s.hosts["nats"])},
			"okta-app":               {"private-key": s.app()},
		}
	case "replicas":
		s.servers(fmt.Sprintf("authorization { user: %s, password: %q }", user["user"], user["password"]), "nats-0.nats", "nats-1.nats", "nats-2.nats")
		s.secrets = map[string]map[string]string{"nats-user": user, "okta-tokens": {"acme": "00abc\n", "globex": "00def\n"}, "okta-app-keys": {"acme": "key"}, "signal-client-key": {"secret.key": s.sealingKey()}}
	case "console":
		s.servers("", "nats.nats.svc")
		s.secrets = map[string]map[string]string{"console-oidc": {"client-secret": "secret\n"}}
	case "development":
	default:
		s.Fatalf("%s is not known here", file)
	}
}

// sealingKey returns a key that seals credentials.
func (s *system) sealingKey() string {
	s.Helper()
	path := filepath.Join(s.dir, "secret.key")
	if out, err := exec.CommandContext(s.Context(), built.client, "keys", "new", "--out", path).CombinedOutput(); err != nil {
		s.Fatalf("keys new: %v\n%s", err, out)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	return string(key)
}

// app starts an org with a service app, and returns the app's private key.
func (s *system) app() string {
	s.Helper()
	keys := exec.CommandContext(s.Context(), built.client, "keys", "okta", "--instance", "acme")
	keys.Dir = s.dir
	if out, err := keys.CombinedOutput(); err != nil {
		s.Fatalf("keys: %v\n%s", err, out)
	}
	path := filepath.Join(s.dir, "acme.key")
	key, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	s.org("--app-key", path, "--dpop")
	return string(key)
}

// operator returns a server's configuration with an account by JWT, and the credentials of
// one of its users.
func operator(t *testing.T) (config, creds string) {
	t.Helper()
	key := func(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		pair, err := create()
		if err != nil {
			t.Fatal(err)
		}
		public, err := pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return pair, public
	}
	sign := func(claims jwt.Claims, by nkeys.KeyPair) string {
		text, err := claims.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	op, opName := key(nkeys.CreateOperator)
	_, systemName := key(nkeys.CreateAccount)
	account, accountName := key(nkeys.CreateAccount)
	user, userName := key(nkeys.CreateUser)
	claims := jwt.NewAccountClaims(accountName)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	config = fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload { %s: %s, %s: %s }",
		sign(jwt.NewOperatorClaims(opName), op), systemName, accountName, sign(claims, op), systemName, sign(jwt.NewAccountClaims(systemName), op))
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(sign(jwt.NewUserClaims(userName), account), seed)
	if err != nil {
		t.Fatal(err)
	}
	return config, string(text)
}

// certificates returns the keys of a Secret as cert-manager fills it: a certificate for an
// address, which serves for both sides of a connection here.
func certificates(t *testing.T, address string) map[string]string {
	t.Helper()
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	child := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(address)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	certificate := func(of *x509.Certificate, key *ecdsa.PrivateKey) string {
		der, err := x509.CreateCertificate(rand.Reader, of, parent, &key.PublicKey, authority)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(leaf)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"ca.crt": certificate(parent, authority), "tls.crt": certificate(child, leaf),
		"tls.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
}
