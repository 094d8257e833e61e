package configs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const runbookPath = "../docs/RUNBOOK.md"

var metricName = regexp.MustCompile(`driftd_[a-z_]+`)

// quiet are the metrics that say nothing about trouble by themselves.
var quiet = []string{
	"driftd_alert_inhibited_groups", "driftd_alert_muted_groups", "driftd_alert_rollback_watching",
	"driftd_alert_silenced_groups", "driftd_consumer_batch_bytes", "driftd_consumer_batches_total", "driftd_consumer_bytes_total",
	"driftd_consumer_dedup_bytes", "driftd_consumer_dedup_ids", "driftd_consumer_events_total", "driftd_consumer_link_bytes",
	"driftd_consumer_link_spans", "driftd_consumer_records_total", "driftd_consumer_rounds_total", "driftd_detector_alerts",
	"driftd_detector_cells", "driftd_detector_open_panes", "driftd_detector_passed_alarms_total", "driftd_detector_records_total",
	"driftd_detector_rules_applied_total", "driftd_detector_samples_total", "driftd_detector_steps_total", "driftd_detector_ticks_total",
	"driftd_detector_told_total", "driftd_detector_values_total", "driftd_rules_last_reload_timestamp_seconds",
}

func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// known are the metrics of METRICS.md, which a test of cmd/driftd holds against a running daemon.
func known(t *testing.T) []string {
	t.Helper()
	names := make(map[string]bool)
	for line := range strings.Lines(text(t, "METRICS.md")) {
		if strings.HasPrefix(line, "| `driftd_") {
			names[metricName.FindString(line)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// TestRunbookMetrics holds that the runbook has an entry for every metric that may mean trouble, and for none that does not exist.
func TestRunbookMetrics(t *testing.T) {
	runbook, all := text(t, runbookPath), known(t)
	for _, name := range all {
		if !slices.Contains(quiet, name) && !strings.Contains(runbook, "`"+name+"`") {
			t.Errorf("the runbook does not say what to do about %s", name)
		}
	}
	for _, name := range append(metricName.FindAllString(runbook, -1), quiet...) {
		if !slices.Contains(all, name) {
			t.Errorf("there is no metric %s", name)
		}
	}
}

// TestRunbookAlerts holds the alerts on driftd itself against the metrics that there are and the sections of the runbook.
func TestRunbookAlerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text(t, "prometheus/driftd.rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	all, alerts := known(t), make(map[string]bool)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			used := metricName.FindAllString(r.Expr, -1)
			if len(used) == 0 {
				t.Errorf("%s reads no metric of driftd's", r.Alert)
			}
			for _, name := range used {
				if !slices.Contains(all, name) {
					t.Errorf("%s reads %s, which there is not", r.Alert, name)
				}
			}
			if s := r.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s has severity %q", r.Alert, s)
			}
			if url := r.Annotations["runbook_url"]; !strings.HasSuffix(url, "/docs/RUNBOOK.md#"+strings.ToLower(r.Alert)) || r.Annotations["summary"] == "" {
				t.Errorf("%s: annotations %v", r.Alert, r.Annotations)
			}
			alerts[r.Alert] = true
		}
	}
	sections := make(map[string]bool)
	for line := range strings.Lines(text(t, runbookPath)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### Driftd"); ok {
			sections["Driftd"+name] = true
		}
	}
	if !maps.Equal(alerts, sections) {
		t.Errorf("alerts   %v\nsections %v", slices.Sorted(maps.Keys(alerts)), slices.Sorted(maps.Keys(sections)))
	}
	for _, link := range regexp.MustCompile(`\]\(#(driftd[a-z]+)\)`).FindAllStringSubmatch(text(t, runbookPath), -1) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(alerts)), func(a string) bool { return strings.ToLower(a) == link[1] }) {
			t.Errorf("a link to #%s leads nowhere", link[1])
		}
	}
}

// TestRunbookLines holds that the runbook has every line of level WARN and ERROR, and every part of /-/ready, that stands in the code.
func TestRunbookLines(t *testing.T) {
	runbook := text(t, runbookPath)
	lines, parts := 0, 0
	for _, dir := range []string{"../cmd", "../consumer", "../detector", "../alert", "../internal/kafkalog", "../internal/web"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					for _, says := range logged(n) {
						lines++
						if says, _, _ = strings.Cut(says, " `"); !strings.Contains(runbook, "`"+says) {
							t.Errorf("the runbook does not have the log line %q of %s", says, path)
						}
					}
				case *ast.CompositeLit:
					if name := check(n); name != "" {
						parts++
						if !strings.Contains(runbook, "| `"+name+"` |") {
							t.Errorf("the runbook does not have the part %q of readiness of %s", name, path)
						}
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if lines < 40 || parts < 6 {
		t.Errorf("found %d lines and %d parts: is the code written otherwise by now?", lines, parts)
	}
}

// logged is the message of a call that logs a warning or an error, at once or when it changes.
func logged(call *ast.CallExpr) (says []string) {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	at := 0
	switch {
	case !ok:
		if id, plain := call.Fun.(*ast.Ident); !plain || id.Name != "begins" { // of detector/says.go
			return nil
		}
		at = 2
	case fn.Sel.Name == "note":
		at = 1
	case fn.Sel.Name != "Warn" && fn.Sel.Name != "Error":
		return nil
	}
	if at >= len(call.Args) {
		return nil
	}
	arg := call.Args[at]
	if sum, ok := arg.(*ast.BinaryExpr); ok { // a value follows
		arg = sum.X
	}
	lit, ok := arg.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return nil
	}
	if s, err := strconv.Unquote(lit.Value); err == nil && s != "" {
		says = append(says, strings.TrimSpace(s))
	}
	return says
}

// check is the name of a web.Check that is written down.
func check(lit *ast.CompositeLit) string {
	if of, ok := lit.Type.(*ast.SelectorExpr); !ok || of.Sel.Name != "Check" {
		return ""
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Name" {
				if v, ok := kv.Value.(*ast.BasicLit); ok {
					s, _ := strconv.Unquote(v.Value)
					return s
				}
			}
		}
	}
	return ""
}
