package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestExplainEvent holds what `driftd explain-event` prints, and its exit codes.
func TestExplainEvent(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/explain", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true})
}
