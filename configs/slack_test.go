package configs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/driftd/driftd/internal/config"
)

// TestSlackPage: the config on SLACK.md is one without problems.
func TestSlackPage(t *testing.T) {
	page, err := os.ReadFile("SLACK.md")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile("driftd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	i := slices.IndexFunc(blocks, func(m []string) bool { return strings.HasPrefix(m[1], "receivers:") })
	if i < 0 {
		t.Fatal("there is no example")
	}
	rest := regexp.MustCompile(`(?ms)^receivers:.*?^registry:`).ReplaceAllLiteralString(string(whole), blocks[i][1]+"registry:")
	file := filepath.Join(t.TempDir(), "driftd.yaml")
	if err := os.WriteFile(file, []byte(rest), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, problems := config.Load(config.Sources{File: file, Environ: append(slices.Clone(environ), "SLACK_SIGNING_SECRET=x")})
	if len(problems) > 0 {
		t.Fatalf("%s\n%s", rest, problems.Text())
	}
	if d := cfg.Receivers[0].Slack.Digest.String(); d != "9:00 Europe/Berlin" {
		t.Errorf("digest %s", d)
	}
}
