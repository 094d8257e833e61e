package detector

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// TestCellsOf holds which cells an observation is of: of the alert's version those that its rule watches, of the version before those of
// the same cohort, whatever the rule says of versions, and in all variants.
func TestCellsOf(t *testing.T) {
	options := windows.Options{Dimensions: []string{"tier", "variant", "environment"}}
	s := &script{t: t, dims: options.Dimensions}
	for _, version := range []string{"v1", "v2"} {
		for _, cell := range []string{"free/a/eu", "free/b/eu", "free/a/us", "paid/a/eu", "paid/b/us"} {
			if err := s.add([]string{"series=p/" + version + "/" + cell, "latency=1"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	raw := func() []byte { s.now = 60e9; return s.batch() }()
	for _, c := range []struct {
		group, rule string
		cohort      string // of the alert of v2
		own, target string
	}{
		{"slice_by: [tier]", "threshold: {stat: mean, above: 1s}", "",
			"free/a/eu free/a/us free/b/eu paid/a/eu paid/b/us", "free/a/eu free/a/us free/b/eu paid/a/eu paid/b/us"},
		{"slice_by: [tier]", "threshold: {stat: mean, above: 1s}", "tier=free", "free/a/eu free/a/us free/b/eu", "free/a/eu free/a/us free/b/eu"},
		{"slice_by: [tier]", "threshold: {stat: mean, above: 1s}", "tier=pro", "", ""},
		{"match: {version: v2, environment: e*}", "threshold: {stat: mean, above: 1s}", "", "free/a/eu free/b/eu paid/a/eu", "free/a/eu free/b/eu paid/a/eu"},
		{"match: {variant: a}", "threshold: {stat: mean, above: 1s}", "", "free/a/eu free/a/us paid/a/eu", "free/a/eu free/a/us free/b/eu paid/a/eu paid/b/us"},
		{"slice_by: [tier, variant]", "threshold: {stat: mean, above: 1s}", "tier=free variant=b", "free/b/eu", "free/a/eu free/a/us free/b/eu"},
		{"slice_by: [tier]", "threshold: {stat: mean, above: 150%, against: {variant: b}}", "tier=free", "free/a/eu free/a/us", "free/a/eu free/a/us free/b/eu"},
		{"slice_by: [tier]", "threshold: {stat: mean, above: 150%, against: previous_version}", "tier=paid", "paid/a/eu paid/b/us", "paid/a/eu paid/b/us"},
		{"slice_by: [tier]", "drift: {rise: 0.1, against: {environment: us}}", "tier=free", "free/a/eu free/b/eu", "free/a/eu free/b/eu"},
	} {
		metric := "latency"
		if strings.HasPrefix(c.rule, "drift") {
			metric = windows.Error
		}
		text := fmt.Sprintf("groups: [{name: g, %s, rules: [{alert: A, metric: %s, %s, rollback: approve}]}]", c.group, metric, c.rule)
		set, problems := rules.Parse("rules.yaml", []byte(text), rules.Options{Dimensions: options.Dimensions})
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		p := NewPartition(PartitionOptions{Windows: options, Rules: set})
		applyRaw(t, p, raw)
		rec := Record{Prompt: "p", Version: "v2", Previous: "v1"}
		for part := range strings.FieldsSeq(c.cohort) {
			name, value, _ := strings.Cut(part, "=")
			if rec.Cohort == nil {
				rec.Cohort = make(map[string]string)
			}
			rec.Cohort[name] = value
		}
		for version, want := range map[string]string{"v2": c.own, "v1": c.target} {
			var got []string
			p.engine.cellsOf(p.engine.rules[0], &rec, version).Only(func(dims []string) bool {
				got = append(got, strings.Join(dims, "/"))
				return true
			})
			if slices.Sort(got); strings.Join(got, " ") != want {
				t.Errorf("%s %s %s: cells of %s are %q, want %q", c.group, c.rule, c.cohort, version, got, want)
			}
		}
	}
}
