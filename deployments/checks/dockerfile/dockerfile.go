// Package dockerfile reads what the last stage of deployments/container/Dockerfile makes.
package dockerfile

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/mattn/go-shellwords"
)

// Stage is what the last stage of a Dockerfile makes.
type Stage struct {
	Config v1.Config
	Copies []Copy

	from string
}

// Copy is a file or a directory that the image takes from an earlier stage.
type Copy struct {
	From, To string
	UID, GID int
}

// Read reads the last stage of a Dockerfile, which must be FROM scratch. args are
// the values of its ARGs.
func Read(path string, args map[string]string) (Stage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Stage{}, err
	}
	var s Stage
	whole := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(text), "")
	for line := range strings.Lines(strings.ReplaceAll(whole, "\\\n", " ")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if instruction == "FROM" {
			s = Stage{}
		}
		if err := s.add(instruction, strings.TrimSpace(rest), args); err != nil {
			return Stage{}, fmt.Errorf("%s: %s: %w", path, strings.TrimSpace(line), err)
		}
	}
	if s.from != "scratch" {
		return Stage{}, fmt.Errorf("%s: its last stage is from %q, not from scratch", path, s.from)
	}
	return s, nil
}

// add does what an instruction says. Those that only the stage that builds has are passed
// over: after them comes another FROM.
func (s *Stage) add(instruction, rest string, args map[string]string) error {
	words, err := shellwords.Parse(os.Expand(rest, func(name string) string { return args[name] }))
	if err != nil {
		return err
	}
	switch instruction {
	case "", "ARG", "WORKDIR", "RUN":
	case "FROM":
		s.from = words[0]
		s.Config.Labels, s.Config.Volumes, s.Config.ExposedPorts = map[string]string{}, map[string]struct{}{}, map[string]struct{}{}
	case "LABEL":
		for _, word := range words {
			name, value, _ := strings.Cut(word, "=")
			s.Config.Labels[name] = value
		}
	case "ENV":
		s.Config.Env = append(s.Config.Env, words...)
	case "COPY":
		return s.addCopy(words)
	case "USER":
		s.Config.User = rest
	case "VOLUME":
		s.Config.Volumes[rest] = struct{}{}
	case "EXPOSE":
		s.Config.ExposedPorts[rest+"/tcp"] = struct{}{}
	case "STOPSIGNAL":
		s.Config.StopSignal = rest
	case "HEALTHCHECK":
		return s.addHealthcheck(rest)
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &s.Config.Entrypoint)
	case "CMD":
		return json.Unmarshal([]byte(rest), &s.Config.Cmd)
	default:
		return errors.New("deployments/checks/dockerfile does not know this instruction")
	}
	return nil
}

func (s *Stage) addCopy(words []string) error {
	flags := newFlags()
	from, owner := flags.String("from", "", ""), flags.String("chown", "0:0", "")
	if err := flags.Parse(words); err != nil {
		return err
	}
	if *from == "" {
		return nil // the source, for the stage that builds
	}
	c := Copy{From: flags.Arg(0), To: flags.Arg(1)}
	if _, err := fmt.Sscanf(*owner, "%d:%d", &c.UID, &c.GID); err != nil {
		return err
	}
	if strings.HasSuffix(c.To, "/") {
		c.To += c.From[strings.LastIndex(c.From, "/")+1:]
	}
	s.Copies = append(s.Copies, c)
	return nil
}

func (s *Stage) addHealthcheck(rest string) error {
	options, command, _ := strings.Cut(rest, "CMD ")
	h := &v1.HealthConfig{}
	flags := newFlags()
	flags.DurationVar(&h.Interval, "interval", 0, "")
	flags.DurationVar(&h.Timeout, "timeout", 0, "")
	flags.DurationVar(&h.StartPeriod, "start-period", 0, "")
	if err := flags.Parse(strings.Fields(options)); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(command), &h.Test); err != nil {
		return err
	}
	h.Test = append([]string{"CMD"}, h.Test...)
	s.Config.Healthcheck = h
	return nil
}

// newFlags are the options of an instruction.
func newFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // its errors say it all
	return flags
}
