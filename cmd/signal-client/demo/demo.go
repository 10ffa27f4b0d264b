package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
)

const demoLong = `Watch it work: two simulated orgs, an embedded NATS server, the service and its console in
one process.

It needs no account and no server, uses neither your NATS nor your data directory,
and leaves nothing behind. Ctrl-C ends it with a summary and exit code 0.

Examples:
  signal-client demo
  signal-client demo --for 10s
  signal-client demo --rate 6000

It prints how to see the events in another terminal, with the nats command.`

// New makes the command demo.
func New(p *cli.Program, newConsole run.NewConsole) *cobra.Command {
	var logs config.Log
	d := &demo{out: p.Out, err: p.Err, newConsole: newConsole}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch it work, with simulated orgs and an embedded server",
		Long:  demoLong,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var server config.Server
			var process config.Process
			if err := config.Load(cmd, &logs, &server, &process); err != nil {
				return err
			}
			if err := d.refuse(cmd); err != nil {
				return err
			}
			d.logs = logs
			return d.run(cmd.Context(), server.Listen, process)
		},
	}
	cmd.Flags().Var((*cli.DurationFlag)(&d.lasts), "for", "end after this `duration`; default: at Ctrl-C")
	cmd.Flags().Float64Var(&d.rate, "rate", 600, "`events` per minute in the orgs, together")
	config.AddFlags(cmd, &logs)
	return cmd
}

type demo struct {
	out, err func() term.Screen
	lasts    time.Duration // 0: until interrupted
	rate     float64
	logs     config.Log

	newConsole run.NewConsole
}

func (d *demo) refuse(cmd *cobra.Command) error {
	var k problem.Checks
	k.Add(!(d.lasts > 0) && cmd.Flags().Changed("for"), fmt.Sprintf("--for=%s", d.lasts), "it must be a duration above 0", "--for=10s, or leave it out to run until Ctrl-C")
	k.Add(!(d.rate > 0), fmt.Sprintf("--rate=%v", d.rate), "it must be a number of events per minute above 0", "--rate=600, the default")
	return errors.Join(k.Errs...)
}

// demoSettle is how long the end waits until all events of the orgs are stored.
const demoSettle = time.Minute

func (d *demo) run(ctx context.Context, listen string, process config.Process) error {
	figures := &figures{started: time.Now(), each: map[string]*figure{}}
	dir, err := os.MkdirTemp("", "signal-client-demo-")
	if err != nil {
		return fmt.Errorf("create a directory for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	orgs, err := startOrgs(context.WithoutCancel(ctx), d.rate)
	if err != nil {
		return err
	}
	defer orgs.Stop()

	c := d.config(ctx, dir, listen, process)
	d.introduce(c)
	to := d.out()
	line := &term.ProgressLine{To: d.err(), Every: 5 * time.Second}
	line.To.Terminal = line.To.Terminal && to.Terminal // a pipe's output would break a redrawn line
	to.Writer = line.Above(to.Writer)
	var store *jets.Store
	service := &run.Service{
		Config: c, Log: d.logs.Logger(to), Trace: figures.Trace(),
		Opened: func(ctx context.Context, s *jets.Store, _ *embedded.Server) error {
			store = s
			return orgs.Put(ctx, s)
		},
	}
	if err := service.Equip(d.newConsole); err != nil {
		return err
	}
	running, end, ended := apart(ctx, service)
	figures.showUntil(d.over(ctx, running), line)
	if running.Err() != nil {
		line.Done()
		return <-ended
	}
	orgs.Quiet()
	line.Show("storing the remaining events and comparing them with the orgs")
	verdict := orgs.Settle(running, figures, demoSettle)
	line.Done()
	if verdict == nil {
		verdict = orgs.Audit(running, store)
	}
	end(nil)
	err = <-ended
	d.summarize(figures, verdict)
	return errors.Join(verdict, err)
}

// apart runs the service until end is called. running ends then, or when the service ends
// by itself; ended receives its error.
func apart(ctx context.Context, s *run.Service) (running context.Context, end context.CancelCauseFunc, ended <-chan error) {
	running, end = context.WithCancelCause(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() {
		err := s.Run(running)
		end(errors.Join(errors.New("the service has ended"), err))
		done <- err
	}()
	return running, end, done
}

// over ends when the demo is to end: after its time, on interrupt, or with the service.
func (d *demo) over(ctx, running context.Context) context.Context {
	over, done := context.WithCancel(ctx)
	context.AfterFunc(running, done)
	if d.lasts > 0 {
		time.AfterFunc(d.lasts, done)
	}
	return over
}

// config returns the service's configuration. Only the listen address is from the
// environment, so that a real token or server is never part of a demo.
func (d *demo) config(ctx context.Context, dir, listen string, process config.Process) config.Config {
	return config.Config{
		Server:  config.Server{Listen: freeAddress(ctx, listen), DataDir: dir},
		Console: config.Console{Serve: config.ConsoleOn},
		Stream:  config.Stream{Replicas: 1, MaxAge: config.Duration(24 * time.Hour)},
		Process: config.Process{
			HTTPAddr: freeAddress(ctx, process.HTTPAddr), Replica: "demo",
			SessionTTL: config.Duration(10 * time.Second), RequestTimeout: config.Duration(30 * time.Second),
		},
	}
}

func (d *demo) introduce(c config.Config) {
	fmt.Fprintf(d.out(), `Two simulated Okta orgs (%s), an embedded NATS server and the service, all in this process.
Watch their events in another terminal:

    %s

See the orgs, search their events and add an org in a browser:

    http://%s/

Store, until the end: %s   %s

`, strings.Join(demoNames(), " and "), c.Server.Watch(), c.Process.HTTPAddr, c.Server.DataDir, d.untilWhen())
}

func (d *demo) untilWhen() string {
	if d.lasts > 0 {
		return fmt.Sprintf("Ends after %s.", d.lasts)
	}
	return "Ctrl-C ends it."
}

func (d *demo) summarize(f *figures, verdict error) {
	total, parts := f.Totals()
	fmt.Fprintf(d.out(), "\nStored %s events in %s: %s.\n", term.Number(total), term.Span(time.Since(f.started)), parts)
	if first := f.First(); first > 0 {
		fmt.Fprintf(d.out(), "The first one was in JetStream %s after the start.\n", term.Span(first))
	}
	if verdict == nil {
		fmt.Fprint(d.out(), "Read back and compared with the orgs: every event is there exactly once, in Okta's order, byte for byte.\n")
	}
	fmt.Fprint(d.out(), "\nYour own org: OKTA_FQDN=acme.okta.com OKTA_API_TOKEN_FILE=okta.token signal-client run\n")
}

// freeAddress returns the address if it is loopback and without a listener, else a free one.
func freeAddress(ctx context.Context, addr string) string {
	var listen net.ListenConfig
	if host, err := config.HostOf(addr); err == nil && embedded.Loopback(host) {
		if ln, err := listen.Listen(ctx, "tcp", addr); err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	ln, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return addr // the listener reports what is wrong
	}
	defer ln.Close()
	return ln.Addr().String()
}
