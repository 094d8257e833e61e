package slack

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
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

var view = View{Receiver: "page", TraceURL: traceURL, Buttons: true, ApproveWithin: 24 * time.Hour, Grace: time.Minute}

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

// act is an action on the alert of the story.
func act(typ detector.RecordType, after time.Duration, change ...func(*detector.Record)) detector.Record {
	g := grounding()
	r := alert.Action(&g, typ, t0.Add(after))
	for _, f := range change {
		f(&r)
	}
	return r
}

func by(actor, reason string) func(*detector.Record) {
	return func(r *detector.Record) { r.Actor, r.Reason = actor, reason }
}

func mode(mode, reason string) func(*detector.Record) {
	return func(r *detector.Record) { r.Rollback, r.Reason = mode, reason }
}

func guard(name, reason string) func(*detector.Record) {
	return func(r *detector.Record) { r.Guard, r.Reason = name, name+": "+reason }
}

const (
	jane = "slack:U012 (jane)"
	bob  = "token:ci for bob"
)

// rolling is a notification with a rollback that has come as far as these actions.
func rolling(n *alert.Notification, actions ...detector.Record) *alert.Notification {
	step := n.Worst().Record
	n.Attempt = &alert.Attempt{Step: step}
	for i := range actions {
		n.Attempt.Fold(&actions[i])
	}
	last := actions[len(actions)-1]
	n.Rollback = &last
	n.Leg.Approvers = []string{"U012", "S0ML"}
	return n
}

// firing is a notification of one alert.
func firing(r detector.Record, change ...func(*detector.Record)) *alert.Notification {
	return &alert.Notification{Firing: []alert.Member{member(r, change...)}}
}

// over is one of an alert that has ended.
func over(r detector.Record, change ...func(*detector.Record)) *alert.Notification {
	return &alert.Notification{Resolved: []alert.Member{member(r, change...)}}
}

// observed is what is seen of a promotion after so long.
func observed(n *alert.Notification, after time.Duration, share, value float64, samples int64) *alert.Notification {
	o := act(detector.Observed, after)
	o.Share, o.Target = &share, &detector.Target{Version: "v22", Calls: 51840, Value: &value, Samples: samples}
	n.Observed = &o
	return n
}

// fell is a trend that falls from 0.91 to 0.78, beside a version that stays.
func fell() *detector.Trend {
	t := &detector.Trend{From: t0.Add(-time.Hour), Every: "1m"}
	for i := range 60 {
		v, p := 0.91+0.01*math.Sin(float64(i)), 0.912+0.008*math.Cos(float64(i)*0.7)
		if i >= 41 {
			v = 0.77 + 0.02*math.Sin(float64(i)*1.3)
		}
		t.Values, t.Previous = append(t.Values, &v), append(t.Previous, &p)
		if i == 20 {
			t.Values[i] = nil
		}
	}
	return t
}

func silence(d time.Duration, untilResolved bool, comment string) func(*detector.Record) {
	return func(r *detector.Record) {
		r.Actor = jane
		r.Silence = &detector.Silence{Starts: r.Time, Ends: r.Time.Add(d), UntilResolved: untilResolved, Comment: comment}
	}
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
	hostile.Cause, hostile.Because, hostile.FalseAlarms = "<!here>", []string{"<@U1> moved *too*", strings.Repeat("x", 4000)}, "1/<!here>"
	hostile.Labels = map[string]string{"severity": "warning", "team": "<@U1>"}
	latency := grounding()
	latency.Rule, latency.Metric, latency.Stat, latency.Value, latency.Bound, latency.Reference = "SlowTail", "latency", "p95", ptr(4.213), ptr(4.0), ptr(2.1)
	latency.Against, latency.Labels, latency.Annotations, latency.Exemplars, latency.Cohort = &detector.Against{Kind: "24h"}, map[string]string{"severity": "warning"}, nil, nil, nil
	gone := grounding()
	gone.Rule, gone.Kind, gone.Metric, gone.Stat, gone.Value, gone.Bound, gone.Reference, gone.Samples = "TrafficGone", "volume", "volume", "", ptr(120.0), ptr(512.5), ptr(1025.0), 120
	gone.Against, gone.Previous, gone.Exemplars, gone.Annotations, gone.Cohort = &detector.Against{Kind: "24h"}, "", nil, nil, nil
	empty := gone
	empty.Metric, empty.Stat, empty.Value = "error", "rate", nil

	drift := g
	drift.Rule, drift.Kind, drift.Window, drift.Cohort = "GroundingRegressed", "drift", "", nil
	drift.Target = &detector.Target{Version: "v22", Calls: 48213, Value: ptr(0.912), Samples: 6120}
	drift.Interval, drift.Reference, drift.Bound, drift.Samples, drift.FalseAlarms = []float64{0.75, 0.81}, ptr(0.91), ptr(0.902), 127, "1/30d"
	drift.Against = &detector.Against{Kind: "previous_version", Version: "v22", Sealed: ptr(t0.Add(-48 * time.Hour)), Samples: 3888}
	drift.Annotations, drift.Cause = nil, detector.CausePromptVersion
	drift.Because = []string{"v23 has 0.78 over 127 scores in enterprise × de since 14:22, v22 had 0.91 over 3,888 scores before",
		"v23 began at 14:22, after v22", "v22 serves enterprise × de beside it and has not moved (0.91 over 1,204 scores)", "enterprise × de makes up 87 % of the drop with 4 % of the traffic"}
	caused := func(c detector.Cause, because ...string) func(*detector.Record) {
		return func(r *detector.Record) { r.Cause, r.Because = c, because }
	}
	canary := drift
	canary.Rule, canary.Kind, canary.FalseAlarms = "CanaryWorse", "canary", "1/300d"
	canary.Against = &detector.Against{Kind: "previous_version", Version: "v22"}
	exceed := drift
	exceed.Rule, exceed.Kind, exceed.Metric, exceed.Stat, exceed.Above = "TooManySlow", "exceed", "latency", "rate", ptr(4.0)
	exceed.Value, exceed.Interval, exceed.Reference, exceed.Bound, exceed.Against = ptr(0.0912), []float64{0.0723, 0.1134}, ptr(0.05), ptr(0.05), nil
	short := exceed
	short.Metric, short.Above, short.Below = "output_tokens", nil, ptr(5.0)
	shape := drift
	shape.Rule, shape.Kind, shape.Metric, shape.Stat, shape.Window, shape.Interval, shape.FalseAlarms = "ShapeChanged", "shape", "helpfulness", "wasserstein", "1h", nil, ""
	shape.Value, shape.Bound, shape.Reference, shape.Against, shape.Cause, shape.Because = ptr(0.143), ptr(0.1), ptr(0.1), &detector.Against{Kind: "24h"}, "", nil
	change := drift
	change.Rule, change.Kind, change.Metric, change.Stat, change.Interval, change.FalseAlarms, change.Against = "ModelSwapped", "change", "model", "", nil, "", nil
	change.Value, change.Bound, change.Reference, change.Cause, change.Because, change.Samples = nil, nil, nil, "", nil, 14
	change.Changed, change.Exemplars = []detector.Changed{{Axis: "model", From: "claude-4-7-sonnet-20260301", To: "claude-4-7-sonnet-20260315", Time: t0.Add(-time.Minute)}}, nil
	lingers := shape
	lingers.Rule, lingers.Kind, lingers.Metric, lingers.Stat, lingers.Version, lingers.Previous = "OldVersionLingers", "traffic_share", "volume", "rate", "v22", "v21"
	lingers.Value, lingers.Bound, lingers.Reference, lingers.Against, lingers.Samples, lingers.Exemplars = ptr(0.124), ptr(0.05), ptr(0.05), nil, 8123, nil

	proposed := act(detector.RollbackProposed, 0, mode("approve", "Proposed: promote v22 in place of v23; a person decides"))
	approved := act(detector.RollbackApproved, 11*time.Minute, by(jane, ""))
	promoted := act(detector.RollbackPromoted, 12*time.Minute)
	nobody := rolling(firing(g), proposed)
	nobody.Leg.Approvers = nil
	byHand := rolling(firing(g), promoted)
	byHand.Attempt.Step = act(detector.RollbackRequested, 11*time.Minute, by(bob, "it is plainly worse"))
	byHand.Attempt.Step.Version, byHand.Attempt.Step.Force = "", "cooldown"
	byHand.Attempt.State, byHand.Attempt.Promoted = alert.RollbackWatching, promoted.Time
	later := rolling(firing(g, func(r *detector.Record) { r.AutoFrom = ptr(t0.Add(60 * 24 * time.Hour)) }), proposed)

	return map[string]*alert.Notification{
		"drift": {Firing: []alert.Member{member(drift)}},
		"drift, cohorts": {Firing: []alert.Member{member(drift, cohortOf("1", "enterprise", "de", 0.72, 57), caused(detector.CauseUnclear, "v23 has only 7 scores since 14:22: too few to compare")),
			member(drift)}},
		"drift, cause is one cohort": {Firing: []alert.Member{member(drift, caused(detector.CauseOneCohort,
			"v23 had 0.91 over 3,888 scores in enterprise × de before 14:22, and 0.78 over 127 scores since", "the drop is in enterprise × de alone, 4 % of the traffic: the rest has not moved"))}},
		"drift, everything moved": rolling(firing(drift, caused(detector.CauseEverything, "v22 serves the same cohorts beside it and moved too: 0.91, then 0.79 over 812 scores")),
			act(detector.RollbackRefused, 0, guard("everything_moved", "v23 is not alone: other versions, or other prompts on its model, moved too"))),
		"drift, model":    {Firing: []alert.Member{member(drift, caused(detector.CauseModelSnapshot, "model of v23 changed at 14:20, 2 min before the onset: a → b"))}},
		"drift, unclear":  {Firing: []alert.Member{member(drift, caused(detector.CauseUnclear, "no other version, and no other prompt on the same model in this partition, has enough scores to compare with"))}},
		"drift, resolved": {Resolved: []alert.Member{member(drift, resolved(72*time.Minute, 0.902))}},
		"drift, a day": {Firing: []alert.Member{member(drift, func(r *detector.Record) {
			r.Against = &detector.Against{Kind: "24h", Sealed: ptr(t0), Samples: 14400}
			r.FalseAlarms = "2/1d"
		})}},
		"drift, fixed":     {Firing: []alert.Member{member(drift, func(r *detector.Record) { r.Against = &detector.Against{Kind: "fixed"} })}},
		"canary":           {Firing: []alert.Member{member(canary)}},
		"exceed":           {Firing: []alert.Member{member(exceed)}},
		"exceed, below":    {Firing: []alert.Member{member(short)}},
		"exceed, resolved": {Resolved: []alert.Member{member(exceed, resolved(72*time.Minute, 0.032))}},
		"shape":            {Firing: []alert.Member{member(shape)}},
		"shape, resolved":  {Resolved: []alert.Member{member(shape, resolved(72*time.Minute, 0.04))}},
		"change":           {Firing: []alert.Member{member(change)}},
		"change, edited": {Firing: []alert.Member{member(change, func(r *detector.Record) {
			r.Metric, r.Changed = "template_hash", []detector.Changed{{Axis: "template_hash", From: "b1d7e4", To: "0c44aa", Time: t0}}
		})}},
		"change, seen": {Resolved: []alert.Member{member(change, func(r *detector.Record) {
			r.Type, r.Step, r.Time, r.Reason = detector.Resolved, 3, t0.Add(time.Hour), "seen: a change does not recover"
		})}},
		"change, back": {Resolved: []alert.Member{member(change, func(r *detector.Record) {
			r.Type, r.Step, r.Time, r.Reason = detector.Resolved, 3, t0.Add(time.Hour), "changed back"
		})}},
		"traffic share":           {Firing: []alert.Member{member(lingers)}},
		"traffic share, resolved": {Resolved: []alert.Member{member(lingers, resolved(72*time.Minute, 0.02))}},
		"one":                     {Firing: []alert.Member{member(g)}},
		"versions": {Firing: []alert.Member{member(g, func(r *detector.Record) {
			r.Reference, r.Against = ptr(0.91), &detector.Against{Kind: "previous_version", Version: "v22"}
		})}},
		"automatic": {Firing: []alert.Member{member(g, func(r *detector.Record) {
			r.Rollback, r.Cause = "auto", detector.CausePromptVersion
			r.Because = []string{"v23 has 0.78 over 412 scores since 14:22, v22 had 0.91 over 3,888 scores before"}
		})}},
		"automatic, no cause": {Firing: []alert.Member{member(g, func(r *detector.Record) { r.Rollback = "auto" })}},
		"many":                {Firing: many, Resolved: []alert.Member{member(g, cohortOf("9", "team", "it", 0.9, 5), resolved(10*time.Minute, 0.9))}},
		"total":               {Firing: []alert.Member{member(g, total(0.8496, 2000)), member(g, cohortOf("5", "free", "de", 0.8497, 77))}},
		"approved":            rolling(firing(g), proposed, approved),
		"promoting":           rolling(firing(g), proposed, approved, act(detector.RollbackPromoting, 12*time.Minute)),
		"promoted":            observed(rolling(firing(g), proposed, approved, promoted), 15*time.Minute, 0.34, 0.9, 213),
		"promoted, lingers":   observed(rolling(firing(g), proposed, approved, promoted), 32*time.Minute, 0.124, 0.9, 1213),
		"waiting":             rolling(firing(drift), proposed),
		"waiting, nobody may": nobody,
		"waiting, auto later": later,
		"dry run":             rolling(firing(g), act(detector.RollbackProposed, 0, mode("dry_run", "Dry run: would promote v22 in place of v23"))),
		"under way":           rolling(firing(g), act(detector.RollbackProposed, 0, mode("auto", "promote v22 in place of v23"))),
		"refused":             rolling(firing(g), act(detector.RollbackProposed, 0, mode("auto", "")), act(detector.RollbackRefused, 0, guard("target_firing", "v22 is firing too (SlowTail)"))),
		"rejected":            rolling(firing(g), proposed, act(detector.RollbackRejected, 5*time.Minute, by(jane, "we fix it forward"))),
		"rejected by time":    rolling(firing(g), proposed, act(detector.RollbackRejected, 24*time.Hour, by("driftd", "nobody has decided within 24h"))),
		"failed":              rolling(firing(g), act(detector.RollbackProposed, 0, mode("auto", "")), act(detector.RollbackFailed, 0, by("driftd", "the registry still shows v23"))),
		"by hand":             byHand,
		"refused, forcible":   rolling(firing(g), proposed, approved, act(detector.RollbackRefused, 12*time.Minute, guard("cooldown", "v22 was promoted 12m0s ago, rollbacks of a prompt are 1h0m0s apart"))),
		"stand-in":            {Firing: []alert.Member{member(g)}, StandIn: "pager"},
		"ineffective": observed(rolling(firing(g), proposed, approved, promoted,
			act(detector.Ineffective, 72*time.Minute, by("driftd", "citation_grounding of v22 is 0.79 over 1,204 scores, an hour after the promotion"))), 72*time.Minute, 0, 0.79, 1204),
		"acknowledged":             {Firing: []alert.Member{member(g)}, Acknowledged: ptr(act(detector.Acknowledged, -10*time.Minute, by(jane, "looking")))},
		"silenced":                 {Firing: []alert.Member{member(g)}, Silenced: ptr(act(detector.Silenced, 0, silence(time.Hour, false, "deploying")))},
		"silenced, until resolved": {Firing: []alert.Member{member(g)}, Silenced: ptr(act(detector.Silenced, 0, silence(7*24*time.Hour, true, "")))},
		"introduced":               {Firing: []alert.Member{member(g)}, Introduced: ptr(act(detector.RegistryPromoted, -25*time.Minute, by("alice@example.com", "")))},
		"trend":                    firing(drift, func(r *detector.Record) { r.Trend = fell() }),
		"explained": firing(drift, func(r *detector.Record) {
			r.ExplainedBy = []detector.Explained{{Cohort: map[string]string{"tier": "enterprise", "locale": "de"}, Share: 0.87}}
			r.Samples, r.Interval = 412, nil
		}),
		"prompts": {Firing: []alert.Member{member(g), member(g, cohortOf("2", "pro", "fr", 0.80, 90), func(r *detector.Record) { r.Prompt, r.Version = "refund_writer", "v8" }),
			member(g, total(0.82, 912), func(r *detector.Record) { r.Rule, r.Prompt, r.Version = "GroundingRegressed", "refund_writer", "v8" })},
			Resolved: []alert.Member{member(g, cohortOf("9", "team", "it", 0.9, 5), resolved(10*time.Minute, 0.9))}},
		"two versions":                   {Firing: []alert.Member{member(g), member(g, cohortOf("2", "pro", "fr", 0.80, 90), func(r *detector.Record) { r.Version = "v24" })}},
		"resolved":                       {Resolved: []alert.Member{member(g, resolved(72*time.Minute, 0.902))}},
		"recovered":                      observed(rolling(over(g, resolved(50*time.Minute, 0.902)), proposed, approved, promoted, act(detector.Recovered, 44*time.Minute)), 50*time.Minute, 0.004, 0.9, 1213),
		"recovered, not called any more": rolling(over(g, resolved(26*time.Hour, 0.902), func(r *detector.Record) { r.Value = nil }), act(detector.RollbackProposed, 0, mode("auto", "")), promoted, act(detector.Recovered, 26*time.Hour)),
		"rule removed":                   {Resolved: []alert.Member{member(g, resolved(5*time.Minute, 0.8), func(r *detector.Record) { r.Reason = "rule removed" })}},
		"latency":                        {Firing: []alert.Member{member(latency)}},
		"volume":                         {Firing: []alert.Member{member(gone)}},
		"empty":                          {Firing: []alert.Member{member(empty)}},
		"hostile":                        rolling(firing(hostile), act(detector.RollbackRefused, 0, guard("not_current", "<!channel>"))),
	}
}

func TestRender(t *testing.T) {
	for name, n := range renderCases() {
		t.Run(name, func(t *testing.T) {
			m := Render(n, view)
			blocks, err := json.MarshalIndent(m.Blocks, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			blocks = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(blocks)))
			// Drawn from what goes over the wire.
			foot, _ := json.Marshal(m.attachments())
			back, err := Decode(m.Text, blocks, foot)
			if err != nil {
				t.Fatal(err)
			}
			drawn := DrawText(back, 73)
			for l := range strings.Lines(drawn) {
				if w := columns(strings.TrimSuffix(l, "\n")); w != 73 {
					t.Errorf("a line has %d columns: %s", w, l)
				}
			}
			got := fmt.Sprintf("%s\n\n%s\n%s\n%s\n", m.Text, drawn, blocks, foot)
			golden(t, strings.NewReplacer(", ", "_", " ", "_").Replace(name)+".golden", got)
		})
	}
}

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
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
}
