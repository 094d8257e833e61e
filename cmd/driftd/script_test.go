package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"driftd": main})
}

// TestCheck holds what `driftd check` prints, and its exit codes.
func TestCheck(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/check", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true})
}
