package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestExplainEvent holds what `driftd explain-event` prints, and its exit codes.
func TestExplainEvent(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/explain", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true})
}

// TestReadmeShowsWhatIsPrinted holds README's output of explain-event: each block stands in a script's.
func TestReadmeShowsWhatIsPrinted(t *testing.T) {
	var scripts strings.Builder
	paths, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "../../README.md") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(path, ".md") {
			scripts.Write(b)
			continue
		}
		_, section, ok := strings.Cut(string(b), "\n## What does driftd make of my events?\n")
		section, _, _ = strings.Cut(section, "\n## ")
		blocks := strings.Split(section, "```text\n")[1:]
		if !ok || len(blocks) != 2 {
			t.Fatalf("README has %d blocks of what explain-event prints", len(blocks))
		}
		for _, block := range blocks {
			if block, _, _ = strings.Cut(block, "```"); !strings.Contains(scripts.String(), block) {
				t.Errorf("no script prints\n%s", block)
			}
		}
	}
}
