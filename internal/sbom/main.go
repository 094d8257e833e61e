// Command sbom prints what a Go binary is made of, as a CycloneDX 1.6 document: its main module, and every module whose code is
// linked into it, with version and checksum as go.sum has it. It reads the binary, not go.mod, so what is only needed for tests is
// not there, and it says the same for the same binary.
//
//	go run ./internal/sbom bin/driftd > driftd.cdx.json
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
)

type document struct {
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(file string, out io.Writer) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	binary, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(binary)
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(describe(info, hex.EncodeToString(sum[:])))
}

// describe lists the main module, with the binary's own SHA-256, the standard library and the modules.
func describe(info *debug.BuildInfo, sum string) document {
	main := library(&info.Main)
	main.Type, main.Hashes = "application", []hash{{"SHA-256", sum}}
	version := strings.TrimPrefix(info.GoVersion, "go")
	d := document{
		Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{main},
		Components: []component{{Type: "library", Ref: "std", Name: "std", Version: version, PURL: "pkg:golang/std@" + version}},
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.Components = append(d.Components, library(m))
	}
	on := dependency{Ref: main.Ref}
	for _, c := range d.Components {
		on.On = append(on.On, c.Ref)
	}
	d.Dependencies = []dependency{on}
	return d
}

// library is a module. The h1 sum of go.sum is a SHA-256 over the names and sums of its files.
func library(m *debug.Module) component {
	purl := "pkg:golang/" + m.Path + "@" + m.Version
	c := component{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(raw) == sha256.Size {
		c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
	}
	return c
}
