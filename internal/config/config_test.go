package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite what the testdata expects")

// TestScripts reads driftd.yaml of each archive and compares the problems' text with its file "want". Lines of the comment
// may be `env NAME=value` and `flag key=value`; other files of the archive are written beside the config.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(script)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			src := Sources{File: filepath.Join(dir, "driftd.yaml"), Flags: map[string]string{}}
			for line := range strings.Lines(string(archive.Comment)) {
				if v, ok := strings.CutPrefix(strings.TrimSpace(line), "env "); ok {
					src.Environ = append(src.Environ, v)
				}
				if v, ok := strings.CutPrefix(strings.TrimSpace(line), "flag "); ok {
					key, value, _ := strings.Cut(v, "=")
					src.Flags[key] = value
				}
			}
			want := -1
			for i, f := range archive.Files {
				if f.Name == "want" {
					want = i
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, problems := Load(src)
			got := strings.ReplaceAll(problems.Text(), dir+"/", "")
			switch {
			case want >= 0 && string(archive.Files[want].Data) == got:
			case *update:
				if want < 0 {
					want = len(archive.Files)
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
				}
				archive.Files[want].Data = []byte(got)
				if err := os.WriteFile(script, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("got\n%s", got)
			}
			for _, secret := range []string{"correct-horse", "battery"} {
				if strings.Contains(got, secret) {
					t.Errorf("%q is shown", secret)
				}
			}
		})
	}
}

// whole is the config of the documentation.
const whole = `kafka:
  brokers: [localhost:9092]
  tls: {enabled: false}
  sasl: {mechanism: scram-sha-512, username: driftd, password: "${KAFKA_PASSWORD}"}
  topic_prefix: driftd.
  partitions: 16
  replication_factor: 3
sources:
  - {topic: otlp_spans, encoding: otlp_proto, attributes: auto}
  - {topic: otlp_logs,  encoding: otlp_proto}
  - {topic: scores,     encoding: driftd_json, start: latest}
  - {topic: old,        encoding: driftd_json, start: 2026-11-20T14:00:00Z}
linking: {wait: 10s, horizon: 30m, memory: 256MiB}
dimensions: [tier, locale]
limits: {series: 200000, cohorts_per_prompt: 500, versions_per_prompt: 20}
rules: [rules/*.yaml]
receivers:
  - {name: ml-oncall, slack: {token: "${SLACK_TOKEN}", channel: "#llm-alerts"}}
  - {name: hook, webhook: {url: https://hook.example/in, secret: "${HOOK_SECRET}"}}
route: {receiver: ml-oncall, routes: [{match: {team: support-ml}, receiver: hook, continue: true}]}
registry: {kind: webhook, url: https://registry.example/api, secret: "${REGISTRY_SECRET}"}
trace_url: "https://traces.example/trace/{trace_id}"
http: {listen: 127.0.0.1:8430}
`

var environ = []string{"KAFKA_PASSWORD=kafka-pw", "SLACK_TOKEN=xoxb-slack", "HOOK_SECRET=hook-pw", "REGISTRY_SECRET=registry-pw"}

func TestLoad(t *testing.T) {
	c, problems := parse(Sources{File: "etc/driftd.yaml", Environ: environ}, []byte(whole))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems.Text())
	}
	if c.Kafka.SASL.Password.Reveal() != "kafka-pw" || c.Receivers[0].Slack.Token.Reveal() != "xoxb-slack" || c.Receivers[1].Webhook.Secret.Reveal() != "hook-pw" || c.Registry.Secret.Reveal() != "registry-pw" {
		t.Error("the secrets are not those of the environment")
	}
	if c.Dir != "etc" || c.Kafka.Topic("samples") != "driftd.samples" || c.Linking.Memory != 256<<20 || c.Linking.Wait != 10*time.Second || !c.Rollback.Enabled || c.Rollback.Cooldown != time.Hour {
		t.Errorf("got %+v", c)
	}
	if got := []Start{c.Sources[0].Start, c.Sources[2].Start, c.Sources[3].Start}; !reflect.DeepEqual(got, []Start{{}, {At: Latest}, {At: AtTime, Time: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)}}) {
		t.Errorf("sources start at %v", got)
	}
	if !c.Route.Routes[0].Continue || c.Route.Routes[0].Match["team"] != "support-ml" {
		t.Errorf("route is %+v", c.Route)
	}
}

// Labels of routes are those that the rules give, the dimensions, and what every alert has.
func TestRouteLabels(t *testing.T) {
	text := strings.ReplaceAll(whole, "{match: {team: support-ml}, receiver: hook, continue: true}",
		"{match: {team: support-ml, tiers: free, locale: de, owner: \"*\"}, receiver: hook, group_by: [variant, tier, temp, team]}")
	var of *Config
	_, problems := parse(Sources{File: "driftd.yaml", Environ: environ, Labels: func(c *Config) []string { of = c; return []string{"severity", "team"} }}, []byte(text))
	if of == nil || of.Dir != "." || len(of.Rules) != 1 {
		t.Errorf("asked with %+v", of)
	}
	got := problems.Text()
	for _, want := range []string{"no alert has a label `temp`", "there is `alert`, `group`", "warning: no alert has a label `tiers`: this route takes none", "did you mean `tier`?"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if len(problems) != 2 {
		t.Errorf("%d problems:\n%s", len(problems), got)
	}
	if _, problems = parse(Sources{File: "driftd.yaml", Environ: environ}, []byte(text)); len(problems) > 0 {
		t.Errorf("where the rules are not known:\n%s", problems.Text())
	}
}

func TestLayers(t *testing.T) {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	set := RegisterFlags(fs)
	if err := fs.Parse([]string{"--kafka.brokers", "c:1,d:2", "--rollback.enabled=false"}); err != nil {
		t.Fatal(err)
	}
	if fs.Lookup("kafka.sasl.password") != nil {
		t.Error("there is a flag for a secret")
	}
	c, problems := parse(Sources{File: "driftd.yaml", Flags: set, Environ: append([]string{"DRIFTD_KAFKA_BROKERS=b:1", "DRIFTD_KAFKA_PARTITIONS=4", "DRIFTD_KAFKA_TOPIC_PREFIX=",
		"DRIFTD_KAFKA_SASL_PASSWORD=from-env", "DRIFTD_HTTP_LISTEN=127.0.0.2:80", "DRIFTD_PORT=tcp://10.0.0.1:8430", "DRIFTD_SERVICE_HOST=10.0.0.1"}, environ...)}, []byte(whole))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems.Text())
	}
	if got := fmt.Sprintf("%v %v %v %v %v %v", c.Kafka.Brokers, c.Kafka.Partitions, c.Kafka.TopicPrefix, c.HTTP.Listen, c.Rollback.Enabled, c.Kafka.SASL.Username); got != "[c:1 d:2] 4 driftd. 127.0.0.2:80 false driftd" {
		t.Errorf("got %s", got)
	}
	if c.Kafka.SASL.Password.Reveal() != "from-env" {
		t.Error("the environment does not override a secret")
	}
	// Everything but what is a list of keys can come from the environment alone.
	_, problems = parse(Sources{Environ: []string{"DRIFTD_KAFKA_BROKERS=b:1", "DRIFTD_RULES=r/*.yaml"}}, nil)
	if got := problems.Text(); !strings.HasPrefix(got, "config:1:1: the file has no `sources`") || problems.Errors() != 1 {
		t.Errorf("got %s", got)
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	const word = "correct-horse"
	s := NewSecret(word)
	type outer struct {
		S Secret
		P *Secret
	}
	var buf bytes.Buffer
	log := slog.New(slog.NewTextHandler(&buf, nil))
	log.Info("started", "secret", s, "outer", outer{s, &s})
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("started", "secret", s, "outer", outer{s, &s})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&buf, verb, s)
		fmt.Fprintf(&buf, verb, outer{s, &s})
		fmt.Fprintf(&buf, verb, &s)
	}
	out, err := json.Marshal(outer{s, &s})
	if err != nil {
		t.Fatal(err)
	}
	buf.Write(out)
	if strings.Contains(buf.String(), word) || strings.Contains(buf.String(), fmt.Sprintf("%x", word)) {
		t.Errorf("the secret is shown: %s", buf.String())
	}
	if s.Reveal() != word || s.IsZero() || !(Secret{}).IsZero() {
		t.Error("the secret is not what it was made of")
	}
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	f := func(content, want, problem string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "pw"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(whole, "${KAFKA_PASSWORD}", "file:pw")
		c, problems := parse(Sources{File: filepath.Join(dir, "driftd.yaml"), Environ: environ[1:]}, []byte(text))
		if got := strings.ReplaceAll(problems.Text(), dir, "DIR"); (problem == "") != (got == "") || !strings.Contains(got, problem) {
			t.Errorf("problems %q, want %q", got, problem)
		}
		if c.Kafka.SASL.Password.Reveal() != want {
			t.Errorf("%q is read as %q", content, c.Kafka.SASL.Password.Reveal())
		}
	}
	f("correct horse \r\n", "correct horse ", "")
	f("\n", "", "read secret DIR/pw: it is empty")
	f(strings.Repeat("x", maxSecret+1), "", "larger than 64 KiB")
}

// FuzzLoad holds that no config makes the checks panic, that problems stand inside the file or name a variable, and that no
// secret is ever shown.
func FuzzLoad(f *testing.F) {
	f.Add(whole)
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file:") || strings.Contains(text, "_file") {
			return // reads files of the machine
		}
		c, problems := parse(Sources{File: "f.yaml", Environ: append(environ, "DRIFTD_KAFKA_PARTITIONS=x")}, []byte(text))
		lines := strings.FieldsFunc(strings.ToValidUTF8(text, "\ufffd"), func(r rune) bool { return strings.ContainsRune("\n\r\u0085\u2028\u2029", r) })
		longest := 0
		for _, l := range lines {
			longest = max(longest, utf8.RuneCountInString(l))
		}
		for _, p := range problems {
			if p.File != "f.yaml" && p.File != "DRIFTD_KAFKA_PARTITIONS" || p.Column > longest+1 {
				t.Errorf("%q: place %s is outside the file", text, p.Place())
			}
		}
		out := problems.Text() + fmt.Sprintf("%+v", c)
		for _, v := range environ {
			_, secret, _ := strings.Cut(v, "=")
			if strings.Contains(out, secret) && !strings.Contains(text, secret) {
				t.Errorf("%q shows %q", text, secret)
			}
		}
	})
}
