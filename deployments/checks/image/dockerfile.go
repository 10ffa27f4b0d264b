package main

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

// stage is what the last stage of a Dockerfile makes.
type stage struct {
	from   string
	config v1.Config
	copies []copied
}

// copied is a file or a directory that the image takes from an earlier stage.
type copied struct {
	from, to string
	uid, gid int
}

// readDockerfile reads the last stage of a Dockerfile, which must be FROM scratch. args are
// the values of its ARGs.
func readDockerfile(path string, args map[string]string) (stage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return stage{}, err
	}
	var s stage
	whole := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(text), "")
	for line := range strings.Lines(strings.ReplaceAll(whole, "\\\n", " ")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if instruction == "FROM" {
			s = stage{}
		}
		if err := s.add(instruction, strings.TrimSpace(rest), args); err != nil {
			return stage{}, fmt.Errorf("%s: %s: %w", path, strings.TrimSpace(line), err)
		}
	}
	if s.from != "scratch" {
		return stage{}, fmt.Errorf("%s: its last stage is from %q, which deployments/checks/image can't get", path, s.from)
	}
	return s, nil
}

// add does what an instruction says. Those that only the stage that builds has are passed
// over: after them comes another FROM.
func (s *stage) add(instruction, rest string, args map[string]string) error {
	words, err := shellwords.Parse(os.Expand(rest, func(name string) string { return args[name] }))
	if err != nil {
		return err
	}
	switch instruction {
	case "", "ARG", "WORKDIR", "RUN":
	case "FROM":
		s.from = words[0]
		s.config.Labels, s.config.Volumes, s.config.ExposedPorts = map[string]string{}, map[string]struct{}{}, map[string]struct{}{}
	case "LABEL":
		for _, word := range words {
			name, value, _ := strings.Cut(word, "=")
			s.config.Labels[name] = value
		}
	case "ENV":
		s.config.Env = append(s.config.Env, words...)
	case "COPY":
		return s.addCopy(words)
	case "USER":
		s.config.User = rest
	case "VOLUME":
		s.config.Volumes[rest] = struct{}{}
	case "EXPOSE":
		s.config.ExposedPorts[rest+"/tcp"] = struct{}{}
	case "STOPSIGNAL":
		s.config.StopSignal = rest
	case "HEALTHCHECK":
		return s.addHealthcheck(rest)
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &s.config.Entrypoint)
	case "CMD":
		return json.Unmarshal([]byte(rest), &s.config.Cmd)
	default:
		return errors.New("deployments/checks/image does not know this instruction")
	}
	return nil
}

func (s *stage) addCopy(words []string) error {
	flags := newFlags()
	from, owner := flags.String("from", "", ""), flags.String("chown", "0:0", "")
	if err := flags.Parse(words); err != nil {
		return err
	}
	if *from == "" {
		return nil // the source, for the stage that builds
	}
	c := copied{from: flags.Arg(0), to: flags.Arg(1)}
	if _, err := fmt.Sscanf(*owner, "%d:%d", &c.uid, &c.gid); err != nil {
		return err
	}
	if strings.HasSuffix(c.to, "/") {
		c.to += c.from[strings.LastIndex(c.from, "/")+1:]
	}
	s.copies = append(s.copies, c)
	return nil
}

func (s *stage) addHealthcheck(rest string) error {
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
	s.config.Healthcheck = h
	return nil
}

// newFlags are the options of an instruction.
func newFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // its errors say it all
	return flags
}
