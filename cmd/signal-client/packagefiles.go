//go:build packagefiles

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
)

// With the tag packagefiles this package is not the program: it writes the man pages and
// the completion scripts that packages install, into the directory that it is given. The
// program itself does not link cobra's generator. SOURCE_DATE_EPOCH (seconds since 1970) is
// the pages' date, so that one commit makes the same files at any time; without it, now.
//
//	go run -tags packagefiles ./cmd/signal-client dist/packagefiles
func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run -tags packagefiles ./cmd/signal-client <directory>")
		os.Exit(2)
	}
	if err := writePackageFiles(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "write the files of packages:", err)
		os.Exit(1)
	}
}

func writePackageFiles(dir string) error {
	completions, man := filepath.Join(dir, "completions"), filepath.Join(dir, "man")
	for _, sub := range []string{completions, man} {
		if err := os.MkdirAll(sub, 0o755); err != nil { //nolint:gosec // everybody may read what packages install
			return err
		}
	}
	root := newRoot(new(cli.Program))
	for name, write := range map[string]func(string) error{
		"signal-client.bash": func(file string) error { return root.GenBashCompletionFileV2(file, true) },
		"_signal-client":     root.GenZshCompletionFile,
		"signal-client.fish": func(file string) error { return root.GenFishCompletionFile(file, true) },
	} {
		if err := write(filepath.Join(completions, name)); err != nil {
			return err
		}
	}
	return writeManPages(root, man)
}

// writeManPages writes a page of section 1 for a command and each below it, and one of
// section 7 for each help topic.
func writeManPages(cmd *cobra.Command, dir string) error {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
			if err := writeManPages(sub, dir); err != nil {
				return err
			}
		}
	}
	header := &doc.GenManHeader{Section: "1", Source: "signal-client " + build.Read().Version, Manual: "signal-client"}
	if cmd.IsAdditionalHelpTopicCommand() {
		header.Section = "7"
	}
	inMarkdown(cmd)
	var page bytes.Buffer
	if err := doc.GenMan(cmd, header, &page); err != nil {
		return err
	}
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level exists
	_, _ = w.Write(page.Bytes())                               // a buffer takes everything
	_ = w.Close()
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + "." + header.Section + ".gz"
	return os.WriteFile(filepath.Join(dir, name), packed.Bytes(), 0o644) //nolint:gosec // everybody may read what packages install
}

// inMarkdown rewrites a command's texts, which are plain, as the Markdown that package doc
// takes them for.
func inMarkdown(cmd *cobra.Command) {
	cmd.DisableAutoGenTag, cmd.DisableFlagsInUseLine = true, cmd.IsAdditionalHelpTopicCommand()
	switch {
	case strings.HasPrefix(cmd.Long, "# "): // it is Markdown
	case cmd.IsAdditionalHelpTopicCommand():
		cmd.Long = verbatim(cmd.Long)
	default:
		cmd.Long = markdown(cmd.Long)
	}
	cmd.Short = escape(cmd.Short)
	name, arguments, _ := strings.Cut(cmd.Use, " ")
	cmd.Use = strings.TrimSpace(name + " " + escape(arguments))
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		_, usage := pflag.UnquoteUsage(f)
		f.Usage = escape(usage)
	})
}

// markdown keeps the lines of indented parts as they are; all other lines become
// paragraphs.
func markdown(text string) string {
	var b strings.Builder
	indented := false
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			if is := strings.HasPrefix(line, "  "); is != indented {
				b.WriteString("\n")
				indented = is
			}
		}
		if indented {
			b.WriteString("  " + line)
		} else {
			b.WriteString(escape(line))
		}
	}
	return b.String()
}

// verbatim keeps all lines as they are.
func verbatim(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

var special = regexp.MustCompile("[\\\\`*_<>\\[\\]#|{}]")

func escape(text string) string { return special.ReplaceAllString(text, `\$0`) }
