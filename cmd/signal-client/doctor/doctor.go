package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/consoleclient"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
)

const doctorLong = `Check everything that polling needs, and say what to do about problems: NATS (its
version, JetStream, permissions, limits, clock), each stream and bucket, the
processes that poll, each org (configuration, token, DNS, TLS, one request, the
answer's headers, how far it is complete), dead letters, and this machine.

It changes nothing. Each enabled org gets one request from this machine, out of its
budget; with --offline none does. Token files are read here, so run it where the
service runs, with the service's variables. Without NATS it checks the rest. Without
NATS_URL it looks for the embedded server of a signal-client running on this machine,
and at its data directory.

Each line is one check: ok, warning, wrong or skipped, what was found, and what to
try. Exit codes: 0 nothing is wrong, though there may be warnings; 3 something is.
With --format nagios: 0 ok, 1 warnings, 2 something is wrong, 3 unknown.

Examples:
  signal-client doctor
  signal-client doctor --instance acme
  signal-client doctor --offline --format nagios
  signal-client doctor --json | jq -r '.findings[] | select(.result == "wrong") | .remedy'
  signal-client doctor --format prometheus > /var/lib/node_exporter/signal-client.prom`

type doctorFlags struct {
	format    string
	json      bool
	instances []string // empty: all
	timeout   time.Duration
	offline   bool
}

// Formats of a doctor's report.
const (
	formatText       = "text"
	formatJSON       = "json"
	formatPrometheus = "prometheus"
	formatNagios     = "nagios"
)

// doctor is one run of all checks.
type doctor struct {
	doctorFlags
	nats            config.NATS
	server          config.Server
	stream          config.Stream
	okta            config.Okta
	search          config.Search
	network         config.Network
	secrets         config.Secrets
	consoleSettings config.Console

	console   *consoleclient.Client
	oktaFault error // why the environment's org is invalid; nil: it is valid, or there is none
}

// New makes the command doctor.
func New(p *cli.Program) *cobra.Command {
	d := &doctor{doctorFlags: doctorFlags{timeout: 10 * time.Second}}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check NATS, the streams, the fleet, each org and this machine",
		Long:  doctorLong,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := d.load(cmd); err != nil {
				return d.refused(p.Out(), err)
			}
			r, err := d.examine(cmd.Context())
			if cmd.Context().Err() != nil {
				return cmd.Context().Err()
			}
			if err != nil {
				return d.refused(p.Out(), err)
			}
			return r.print(p.Out(), d.format)
		},
	}
	cmd.Flags().StringVar(&d.format, "format", formatText, "text, json, prometheus or nagios")
	cmd.Flags().BoolVar(&d.json, "json", false, "the same as --format json")
	cmd.Flags().StringSliceVar(&d.instances, "instance", nil, "check only the org of this `name`; may be repeated")
	cmd.Flags().Var((*cli.DurationFlag)(&d.timeout), "timeout", "longest time for one check")
	cmd.Flags().BoolVar(&d.offline, "offline", false, "send nothing to the orgs: no DNS, no TLS, no request")
	config.AddFlags(cmd, &d.nats)
	_ = cmd.RegisterFlagCompletionFunc("instance", cli.CompleteInstances(0))
	return cmd
}

// load reads flags and variables. A fault of the environment's org is only a finding.
func (d *doctor) load(cmd *cobra.Command) error {
	if d.json {
		d.format = formatJSON
	}
	if !slices.Contains([]string{formatText, formatJSON, formatPrometheus, formatNagios}, d.format) {
		return problem.Usage("--format="+d.format, "it is text, json, prometheus or nagios", "--format=text")
	}
	if d.timeout < 100*time.Millisecond {
		return problem.Usage(fmt.Sprintf("--timeout=%s", d.timeout), "it is at least 100ms", "--timeout=10s")
	}
	d.oktaFault = config.Load(cmd, &d.okta)
	_ = config.Load(cmd, &d.consoleSettings) // what is wrong with it, the service says
	if err := config.Load(cmd, &d.nats, &d.server, &d.stream, &d.search, &d.network, &d.secrets); err != nil {
		return err
	}
	var err error
	d.console, err = consoleclient.Load(cmd)
	return err
}

func (d *doctor) asked(instance string) bool {
	return len(d.instances) == 0 || slices.Contains(d.instances, instance)
}

// examine runs all checks. It first reads what they need; then they run concurrently and
// are reported in order. It returns an error for an org that does not exist.
func (d *doctor) examine(ctx context.Context) (*report, error) {
	s := d.look(ctx)
	defer s.close()
	if err := s.unknown(); err != nil {
		return nil, err
	}
	var checks []check
	checks = append(checks, s.natsChecks()...)
	checks = append(checks, s.streamChecks()...)
	checks = append(checks, s.fleetChecks()...)
	checks = append(checks, s.orgChecks()...)
	checks = append(checks, s.machineChecks()...)
	return newReport(perform(ctx, checks, d.timeout)), nil
}

// refused returns the error of a check that could not start; nagios is told UNKNOWN.
func (d *doctor) refused(to term.Screen, err error) error {
	if d.format != formatNagios {
		return err
	}
	var texts []string
	for _, e := range problem.Split(err) {
		p := problem.Of(e)
		texts = append(texts, term.Printable(strings.TrimSuffix(fmt.Sprintf("%s: %v", p.Op, p.Err), ": <nil>")))
	}
	fmt.Fprintf(to, "SIGNAL-CLIENT UNKNOWN - %s\n", strings.Join(texts, "; "))
	return problem.ExitCode(nagiosUnknown)
}
