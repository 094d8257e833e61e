// Package configs has no code: its tests hold the examples, schemas and the reference of this folder against the program.
package configs

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/web"
	"github.com/driftd/driftd/rules"
)

var update = flag.Bool("update", false, "rewrite what is generated")

// environ has what the example config asks for.
var environ = []string{"SLACK_TOKEN=xoxb-example", "HOOK_SECRET=example", "REGISTRY_SECRET=example"}

func TestExamplesAreFine(t *testing.T) {
	cfg, problems := config.Load(config.Sources{File: "driftd.yaml", Environ: environ})
	if len(problems) > 0 {
		t.Fatalf("the example config has problems:\n%s", problems.Text())
	}
	set, problems := rules.Load(cfg.Rules, rules.Options{Dir: cfg.Dir, Dimensions: cfg.Dimensions, NoRegistry: cfg.Registry == nil})
	if len(problems) > 0 {
		t.Fatalf("the example rules have problems:\n%s", problems.Text())
	}
	count := 0
	for _, g := range set.Groups {
		count += len(g.Rules)
	}
	if len(set.Files) != 2 || count != 15 {
		t.Errorf("%d rules in %d files, want 15 in 2", count, len(set.Files))
	}
}

// generated files are made from the code; -update writes them.
var generated = map[string]func() ([]byte, error){
	"config.schema.json": config.Schema,
	"rules.schema.json":  rules.Schema,
	"alert.schema.json": func() ([]byte, error) {
		return jsonSchema(reflect.TypeFor[detector.Record](), "../detector/record.go", "alert.schema.json", "A step of an alert, or what was done about it")
	},
	"event.schema.json": func() ([]byte, error) {
		return jsonSchema(reflect.TypeFor[nativeEvent](), "event_test.go", "event.schema.json", "A native event: a span or a score")
	},
	"ROLLBACK.md":   rollbackPage,
	"openapi.json":  web.OpenAPI,
	"ATTRIBUTES.md": func() ([]byte, error) { return []byte(consumer.Reference()), nil },
	"REFERENCE.md": func() ([]byte, error) {
		return []byte("# Reference\n\nAll keys of the config and of rule files, made from the code. Durations are written 250ms, 90s, 5m, 1h30m, 7d; sizes 256MiB. " +
			"Secrets are \"${VARIABLE}\" or file:/path. Keys of the config that take one value are also environment variables (`kafka.brokers`: `" + config.EnvName("kafka.brokers") +
			"`) and, secrets apart, flags (`--kafka.brokers`).\n\n" + config.Reference() + rules.Reference() + annotations()), nil
	},
}

func TestGenerated(t *testing.T) {
	for name, make := range generated {
		want, err := make()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the code makes: run go test ./configs -update (%v)", name, err)
		}
	}
}

// annotations documents what templates can say.
func annotations() string {
	var b strings.Builder
	b.WriteString("## Annotations\n\nTemplates of Go's text/template with `if`, `with` and the functions and, or, not, eq, ne, lt, le, gt, ge, len, index, print, printf, urlquery.\n\n| field | meaning |\n|---|---|\n")
	comments := fieldComments("../rules/template.go", "TemplateData")
	for f := range reflect.TypeFor[rules.TemplateData]().Fields() {
		b.WriteString("| `." + f.Name + "` | " + comments[f.Name] + " |\n")
	}
	return b.String()
}

func loadSchema(t *testing.T, name string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return schema
}

// fromYAML gives the values as JSON has them.
func fromYAML(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fromJSON(t, data)
}

func fromJSON(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

// TestSchemas holds the schemas against the examples, and against what is wrong.
func TestSchemas(t *testing.T) {
	for file, schema := range map[string]string{"driftd.yaml": "config.schema.json", "rules/quality.yaml": "rules.schema.json", "rules/operations.yaml": "rules.schema.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if problem := conforms(loadSchema(t, schema), fromYAML(t, text)); problem != "" {
			t.Errorf("%s does not conform to %s: %s", file, schema, problem)
		}
	}
	f := func(schema, text string) {
		t.Helper()
		if conforms(loadSchema(t, schema), fromYAML(t, []byte(text))) == "" {
			t.Errorf("%s lets pass %s", schema, text)
		}
	}
	const config = "kafka: {brokers: [a:1]}\nsources: [{topic: t}]\nrules: [r]\n"
	if problem := conforms(loadSchema(t, "config.schema.json"), fromYAML(t, []byte(config))); problem != "" {
		t.Fatalf("a minimal config does not conform: %s", problem)
	}
	f("config.schema.json", config+"route: {reciever: x}")
	f("config.schema.json", config+"linking: {wait: 5}")
	f("config.schema.json", config+"http: {listen: [a]}")
	f("config.schema.json", strings.Replace(config, "topic: t", "topic: t, encoding: avro", 1))
	f("config.schema.json", strings.Replace(config, "[a:1]", "[]", 1))
	const rule = "groups: [{name: g, rules: [{alert: A, metric: latency, threshold: {stat: p95, above: 4s}}]}]"
	if problem := conforms(loadSchema(t, "rules.schema.json"), fromYAML(t, []byte(rule))); problem != "" {
		t.Fatalf("a minimal rule file does not conform: %s", problem)
	}
	f("rules.schema.json", strings.Replace(rule, "above", "abvoe", 1))
	f("rules.schema.json", strings.Replace(rule, "p95", "average", 1))
	f("rules.schema.json", strings.Replace(rule, "latency", "latncy", 1))
	f("rules.schema.json", strings.Replace(rule, "alert: A, ", "", 1))
	f("rules.schema.json", strings.Replace(rule, "4s", "4 seconds", 1))
	f("rules.schema.json", strings.Replace(rule, "4s}", "4s, against: yesterday}", 1))

	kinds := func(kind string) string {
		return "groups: [{name: g, rules: [{alert: A, rubric: r, " + kind + "}]}]"
	}
	for _, fine := range []string{
		"drift: {drop: 5%, against: {fixed: 0.9}, false_alarms: 1/30d}", "drift: {rise: 0.1, against: {environment: eval}}", "canary: {drop: 0.1}", "canary: {drop: 0.1, against: {variant: a}}",
		"exceed: {above: 4s, share: 5%}", "exceed: {below: 5}", "shape: {distance: ks, above: 0.1, window: 6h, against: previous_version}", "change: model",
		"traffic_share: {above: 5%, for: 1h}", "traffic_share: {of: current, below: 0.8}", "traffic_share: {of: {version: v24}, above: 12%, window: 6h}",
	} {
		if problem := conforms(loadSchema(t, "rules.schema.json"), fromYAML(t, []byte(kinds(fine)))); problem != "" {
			t.Errorf("%s does not conform: %s", fine, problem)
		}
	}
	for _, wrong := range []string{
		"drift: {drp: 5%}", "drift: {drop: 5%, against: {fixd: 0.9}}", "drift: {drop: 5%, false_alarms: 30d}", "drift: {drop: a lot}", "canary: {drop: 0.1, for: 5m}", "exceed: {abov: 4s}",
		"shape: {distance: emd, above: 0.1}", "change: version", "traffic_share: {of: old, above: 5%}", "traffic_share: {of: {variant: a, version: b}, above: 5%}", "traffic_share: {above: 5%, window: 1}",
	} {
		f("rules.schema.json", kinds(wrong))
	}
}
