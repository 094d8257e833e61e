package configs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/driftd/driftd/internal/config"
)

// TestRegistriesPage: each example of REGISTRIES.md is a config without problems, and every kind has one.
func TestRegistriesPage(t *testing.T) {
	page, err := os.ReadFile("REGISTRIES.md")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile("driftd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	registry := regexp.MustCompile(`(?m)^registry: .*$`)
	kinds := map[string]bool{}
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		file := filepath.Join(t.TempDir(), "driftd.yaml")
		text := registry.ReplaceAllLiteralString(string(whole), strings.TrimSpace(m[1]))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, problems := config.Load(config.Sources{File: file, Environ: environ})
		if len(problems) > 0 {
			t.Errorf("%s\n%s", m[1], problems.Text())
			continue
		}
		kinds[cfg.Registry.Kind] = true
	}
	if len(kinds) != 5 {
		t.Errorf("examples are of %v", kinds)
	}
}
