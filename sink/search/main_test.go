package search_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/search/child"
)

// childArgument makes this test binary the process of an embedded index.
const childArgument = "search-index"

// scratch is a directory of all tests.
var scratch string

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childArgument {
		if err := child.Run(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	jetstest.Setup()
	var err error
	if scratch, err = os.MkdirTemp("", "search-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}
