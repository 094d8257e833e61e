package slack

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

const traceURL = "https://traces.example/trace/{trace_id}?a=1&b=2"

var t0 = time.Date(2026, 11, 20, 14, 41, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// grounding is the alert of the story: enterprise × de fell from 0.91 to 0.78.
func grounding() detector.Record {
	return detector.Record{
		ID: "9f3c", Step: 2, Type: detector.Firing, Time: t0, Group: "support", Rule: "GroundingBelowFloor",
		Prompt: "support_intent_classifier", Version: "v23", Cohort: map[string]string{"tier": "enterprise", "locale": "de"},
		Metric: "citation_grounding", Kind: "threshold", Stat: "mean", Value: ptr(0.78), Bound: ptr(0.85), Reference: ptr(0.85), Samples: 412, Window: "1h",
		Onset: ptr(t0.Add(-19 * time.Minute)), Previous: "v22", Exemplars: []string{"5b8efff798038103d269b633813fc60c", "0af7651916cd43dd8448eb211c80319c"},
		Labels:      map[string]string{"severity": "page", "team": "support-ml"},
		Annotations: map[string]string{"summary": "Answers cite sources that do not hold.", "runbook_url": "https://wiki.example/grounding?v=1&x=2"},
	}
}

func member(r detector.Record, change ...func(*detector.Record)) alert.Member {
	for _, f := range change {
		f(&r)
	}
	return alert.Member{Record: r, Since: t0}
}

func cohortOf(id, tier, locale string, value float64, n int64) func(*detector.Record) {
	return func(r *detector.Record) {
		r.ID, r.Cohort, r.Value, r.Samples = id, map[string]string{"tier": tier, "locale": locale}, &value, n
	}
}

func total(value float64, n int64) func(*detector.Record) {
	return func(r *detector.Record) { r.ID, r.Cohort, r.Value, r.Samples = "t", nil, &value, n }
}

func resolved(after time.Duration, value float64) func(*detector.Record) {
	return func(r *detector.Record) {
		r.Type, r.Step, r.Time, r.Value = detector.Resolved, r.Step+1, r.Time.Add(after), &value
	}
}

func done(typ detector.RecordType, mode, reason string, after time.Duration) *detector.Record {
	r := grounding()
	r = alert.Action(&r, typ, t0.Add(after))
	r.Rollback, r.Reason = mode, reason
	return &r
}

func renderCases() map[string]*alert.Notification {
	g := grounding()
	many := []alert.Member{
		member(g, cohortOf("1", "enterprise", "de", 0.78, 412)), member(g, cohortOf("2", "enterprise", "fr", 0.79, 230)),
		member(g, cohortOf("3", "pro", "de", 0.80, 199)), member(g, cohortOf("4", "pro", "fr", 0.81, 12345)),
		member(g, cohortOf("5", "free", "de", 0.82, 77)), member(g, cohortOf("6", "free", "fr", 0.83, 50)),
		member(g, cohortOf("7", "free", "es", 0.835, 50)), member(g, cohortOf("8", "free", "it", 0.84, 50)), member(g, total(0.8499, 13413)),
	}
	hostile := grounding()
	hostile.Prompt = "<!channel> *pwn* <https://evil.example|click>\n&amp; `rm -rf` _x_ ~y~ \u202egnp" + strings.Repeat("é😀", 200)
	hostile.Version, hostile.Rule, hostile.Group = "v<script>", "A&B<>", "*g*"
	hostile.Metric = "rubric <b>"
	hostile.Cohort = map[string]string{"tier": "<@U012>", "locale": ""}
	hostile.Exemplars = []string{"abc|def>", "../../etc", "5b8efff798038103d269b633813fc60c"}
	hostile.Previous = "v22|<!here>"
	hostile.Annotations = map[string]string{"summary": "<!everyone> " + strings.Repeat("&", 4000), "runbook_url": "javascript:alert(1)"}
	hostile.Labels = map[string]string{"severity": "warning", "team": "<@U1>"}
	latency := grounding()
	latency.Rule, latency.Metric, latency.Stat, latency.Value, latency.Bound, latency.Reference = "SlowTail", "latency", "p95", ptr(4.213), ptr(4.0), ptr(2.1)
	latency.Against, latency.Labels, latency.Annotations, latency.Exemplars, latency.Cohort = &detector.Against{Kind: "24h"}, map[string]string{"severity": "warning"}, nil, nil, nil
	gone := grounding()
	gone.Rule, gone.Kind, gone.Metric, gone.Stat, gone.Value, gone.Bound, gone.Reference, gone.Samples = "TrafficGone", "volume", "volume", "", ptr(120.0), ptr(512.5), ptr(1025.0), 120
	gone.Against, gone.Previous, gone.Exemplars, gone.Annotations, gone.Cohort = &detector.Against{Kind: "24h"}, "", nil, nil, nil
	empty := gone
	empty.Metric, empty.Stat, empty.Value = "error", "rate", nil

	return map[string]*alert.Notification{
		"one": {Firing: []alert.Member{member(g)}},
		"versions": {Firing: []alert.Member{member(g, func(r *detector.Record) {
			r.Reference, r.Against = ptr(0.91), &detector.Against{Kind: "previous_version", Version: "v22"}
		})}},
		"automatic":    {Firing: []alert.Member{member(g, func(r *detector.Record) { r.Rollback = "auto" })}},
		"many":         {Firing: many, Resolved: []alert.Member{member(g, cohortOf("9", "team", "it", 0.9, 5), resolved(10*time.Minute, 0.9))}},
		"total":        {Firing: []alert.Member{member(g, total(0.8496, 2000)), member(g, cohortOf("5", "free", "de", 0.8497, 77))}},
		"promoted":     {Firing: []alert.Member{member(g)}, Rollback: done(detector.RollbackPromoted, "auto", "", time.Minute)},
		"proposed":     {Firing: []alert.Member{member(g)}, Rollback: done(detector.RollbackProposed, "approve", "Proposed: promote v22 in place of v23; a person decides", 0)},
		"dry run":      {Firing: []alert.Member{member(g)}, Rollback: done(detector.RollbackProposed, "dry_run", "Dry run: would promote v22 in place of v23", 0)},
		"under way":    {Firing: []alert.Member{member(g)}, Rollback: done(detector.RollbackProposed, "auto", "", 0)},
		"refused":      {Firing: []alert.Member{member(g)}, Rollback: done(detector.RollbackRefused, "auto", "target_firing: v22 is firing too (SlowTail)", 0)},
		"failed":       {Firing: []alert.Member{member(g)}, Rollback: done(detector.RollbackFailed, "auto", "the registry still shows v23", 0)},
		"resolved":     {Resolved: []alert.Member{member(g, resolved(72*time.Minute, 0.902))}},
		"recovered":    {Resolved: []alert.Member{member(g, resolved(26*time.Hour, 0.902), func(r *detector.Record) { r.Value = nil })}, Rollback: done(detector.Recovered, "auto", "", 26*time.Hour)},
		"rule removed": {Resolved: []alert.Member{member(g, resolved(5*time.Minute, 0.8), func(r *detector.Record) { r.Reason = "rule removed" })}},
		"latency":      {Firing: []alert.Member{member(latency)}},
		"volume":       {Firing: []alert.Member{member(gone)}},
		"empty":        {Firing: []alert.Member{member(empty)}},
		"hostile":      {Firing: []alert.Member{member(hostile)}, Rollback: done(detector.RollbackRefused, "auto", "not_current: <!channel>", 0)},
	}
}

func TestRender(t *testing.T) {
	for name, n := range renderCases() {
		t.Run(name, func(t *testing.T) {
			m := Render(n, traceURL)
			blocks, err := json.MarshalIndent(m.Blocks, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			blocks = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(blocks)))
			// Drawn from what goes over the wire.
			back, err := Decode(m.Text, blocks)
			if err != nil {
				t.Fatal(err)
			}
			drawn := DrawText(back, 80)
			for l := range strings.Lines(drawn) {
				if w := columns(strings.TrimSuffix(l, "\n")); w != 80 {
					t.Errorf("a line has %d columns: %s", w, l)
				}
			}
			got := fmt.Sprintf("%s\n\n%s\n%s\n", m.Text, drawn, blocks)
			path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_")+".golden")
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("differs from %s (-rewrite writes it anew):\n%s", path, got)
			}
		})
	}
}
