package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/simulated"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

const simulateLong = `Serve simulated Okta orgs, to try signal-client, to load it and to develop against it.

Each org serves the System Log under /api/v1/logs as Okta does: cursors in next links,
rate limits, API tokens and service apps, and faults if you ask for them. It has a
history of realistic events, and more of them happen all the time. All of it is lost at
the end.

How to poll the orgs is printed on standard error; a table of them for the command
integrations import is printed on standard output. They are served without TLS, which
signal-client accepts from this machine only: in containers, let both share a network
namespace, and listen on 0.0.0.0 only to reach an org from outside.

Examples:
  signal-client simulate
  signal-client simulate --rate 500 --history 1000000 --over 30d --limit 0
  signal-client simulate --orgs 200 > orgs.csv     # elsewhere: signal-client integrations import orgs.csv
  signal-client simulate --faults '5*,429*,disconnected' --fault-share 0.2

  # a service app instead of an API token
  signal-client keys okta --instance acme > acme.jwk
  signal-client simulate --app-key acme.key --dpop`

// New makes the command simulate.
func New(p *cli.Program) *cobra.Command {
	s := &simulate{p: p}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Serve simulated Okta orgs, to try, load and develop against",
		Long:  simulateLong,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				s.seed = rand.Uint64()
			}
			if err := s.check(); err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:8100", "`address` of the first org; each further one is at the next port")
	f.IntVar(&s.orgs, "orgs", 1, "`number` of orgs")
	f.Float64Var(&s.rate, "rate", 10, "`events` per second in the orgs, together; 0: none happen")
	f.IntVar(&s.history, "history", 4000, "`events` of each org that happened before")
	s.over = cli.DurationFlag(24 * time.Hour)
	f.Var(&s.over, "over", "how far back the history reaches, at most 90d")
	f.IntVar(&s.limit, "limit", 600, "`requests` per minute that an org allows; 0: any number")
	f.StringArrayVar(&s.tokens, "token", []string{"simulated"}, "API `token` that the orgs accept; may be repeated")
	f.StringVar(&s.appKey, "app-key", "", "`file` of the private key of a service app of the orgs, as keys okta writes it")
	f.BoolVar(&s.dpop, "dpop", false, "the service app needs DPoP")
	f.Var(&s.faults, "faults", "`names` or patterns of faults that requests meet; simulate faults lists them")
	f.Float64Var(&s.share, "fault-share", 0.1, "`share` of the requests that meet a fault")
	f.Uint64Var(&s.seed, "seed", 0, "`number` from which all that is random follows (default a random one)")
	_ = cmd.MarkFlagFilename("app-key")
	cmd.AddCommand(newFaults(p))
	return cmd
}

type simulate struct {
	p *cli.Program

	listen  string
	orgs    int
	rate    float64
	history int
	over    cli.DurationFlag
	limit   int
	tokens  []string
	appKey  string
	dpop    bool
	faults  cli.NameList
	share   float64
	seed    uint64

	app   *simulated.App // nil: none
	named []string       // the faults that requests meet
}

// check refuses flags that can't be used, and reads what they name.
func (s *simulate) check() error {
	var k problem.Checks
	_, port, err := net.SplitHostPort(s.listen)
	first, portErr := strconv.ParseUint(port, 10, 16)
	k.Add(err != nil || portErr != nil, "--listen="+s.listen, "it must be host:port", "--listen=127.0.0.1:8100")
	k.Add(s.orgs < 1, fmt.Sprintf("--orgs=%d", s.orgs), "it must be a number above 0", "--orgs=1, the default")
	k.Add(first > 0 && s.orgs > 1 && int(first)+s.orgs-1 > 65535, fmt.Sprintf("--orgs=%d", s.orgs), "each org has a port of its own, and they end at 65535", "a lower port in --listen")
	k.Add(!(s.rate >= 0 && s.rate <= mostRate), fmt.Sprintf("--rate=%v", s.rate), fmt.Sprintf("it must be a number of events per second, from 0 to %d", mostRate), "--rate=10, the default")
	k.Add(s.history < 0, fmt.Sprintf("--history=%d", s.history), "it must be a number of events, or 0", "--history=4000, the default")
	over := time.Duration(s.over)
	k.Add(over <= 0 || over > 90*24*time.Hour, "--over="+s.over.String(), "it must be a duration above 0, and at most 90d: Okta keeps no more", "--over=24h, the default")
	k.Add(s.limit < 0, fmt.Sprintf("--limit=%d", s.limit), "it must be a number of requests per minute, or 0", "--limit=600, the default")
	k.Add(slices.Contains(s.tokens, ""), "--token=", "it must not be empty", "--token=simulated, the default")
	k.Add(!(s.share >= 0 && s.share <= 1), fmt.Sprintf("--fault-share=%v", s.share), "it must be between 0 and 1", "--fault-share=0.1, the default")
	k.Add(s.dpop && s.appKey == "", "--dpop", "there is no service app that could need it", "--app-key <file>, which signal-client keys okta writes")
	for _, wanted := range s.faults {
		found := matching(wanted)
		k.Add(len(found) == 0, "--faults="+wanted, "no fault has this name", nearest(wanted))
		s.named = append(s.named, found...)
	}
	if s.appKey != "" {
		s.app, err = simulated.ReadApp(s.appKey, s.dpop)
		if err == nil {
			s.appKey, err = filepath.Abs(s.appKey)
		}
		if err != nil {
			k.Add(true, "--app-key="+s.appKey, err.Error(), "signal-client keys okta --instance acme writes one")
		}
	}
	return errors.Join(k.Errs...)
}

const (
	mostRate = 100_000
	kept     = 100_000 // events in memory, of all orgs together; at 2.5 KB each
)

// specs describes the orgs.
func (s *simulate) specs() []simulated.Spec {
	limit := s.limit
	if limit == 0 {
		limit = -1
	}
	var specs []simulated.Spec
	for i := range s.orgs {
		name, title := nameOf(i)
		specs = append(specs, simulated.Spec{
			Name: name, Title: title, Seed: s.seed + uint64(i), Tokens: s.tokens, App: s.app, Requests: limit,
			History: s.history, Over: time.Duration(s.over), PerMinute: s.rate * 60 / float64(s.orgs),
			Patterns: s.history*s.orgs > kept/2, Keep: max(1000, kept/s.orgs),
			Faults: s.named, FaultShare: s.share,
		})
	}
	return specs
}

func (s *simulate) run(ctx context.Context) error {
	orgs, err := simulated.Start(ctx, s.listen, s.specs())
	if err != nil {
		return &problem.Error{Op: "simulate", Err: err, Hint: "--listen <another address>"}
	}
	defer orgs.Stop()
	if err := s.introduce(orgs.Each); err != nil {
		return err
	}
	line := &term.ProgressLine{To: s.p.Err(), Every: time.Minute}
	for pipeline.Sleep(ctx, time.Second) == nil {
		line.Show(served(orgs.Each))
	}
	line.Clear()
	s.p.Say("Ended: %s.", served(orgs.Each))
	return nil
}
