package main

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// TestOfItself lists what the test's own binary is made of.
func TestOfItself(t *testing.T) {
	file, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, again bytes.Buffer
	if err := run(file, &out); err != nil {
		t.Fatal(err)
	}
	if err := run(file, &again); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("not the same twice: ", err)
	}
	var d document
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if c := d.Metadata.Component; c.Name != "github.com/driftd/driftd" || c.Type != "application" || len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64 {
		t.Errorf("%+v", c)
	}
	if !slices.ContainsFunc(d.Components, func(c component) bool { return c.Name == "std" && strings.HasPrefix(c.PURL, "pkg:golang/std@1.") }) {
		t.Errorf("no standard library: %+v", d.Components)
	}
	if err := run(os.DevNull, &out); err == nil {
		t.Error("no binary, and no error")
	}
}

// TestLibrary: the sum of go.sum is the module's.
func TestLibrary(t *testing.T) {
	m := &debug.Module{Path: "example.org/a", Version: "v1.2.3", Sum: "h1:" + strings.Repeat("A", 43) + "="}
	if got := library(m); got.PURL != "pkg:golang/example.org/a@v1.2.3" || len(got.Hashes) != 1 || got.Hashes[0].Content != strings.Repeat("00", 32) {
		t.Errorf("%+v", got)
	}
}
