package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/windows"
)

func TestExpand(t *testing.T) {
	r := &Rule{Alert: "Grounding", Metric: "citation_grounding", Rubric: true, Threshold: &Threshold{Stat: Stat{Kind: Mean}, Window: time.Hour}}
	data := TemplateData{Rule: "Grounding", Group: "support", Prompt: "support_<script>", Version: "v23", Previous: "v22", Cohort: Cohort{"tier": "enterprise", "locale": "de"},
		Metric: r.Metric, Stat: r.Stat(), Value: r.NumberOf(0.7804), Reference: r.NumberOf(0.91), Bound: r.NumberOf(0.85), Samples: 412, Window: Duration(time.Hour),
		Labels: map[string]string{"severity": "page"}}
	f := func(text, want string) {
		t.Helper()
		r.Annotations = map[string]string{"a": text}
		got, err := Expand(r, data)
		if err != nil || got["a"] != want {
			t.Errorf("%q gives %q, %v, want %q", text, got["a"], err, want)
		}
		if faults := templateFaults(text, []string{"tier", "locale"}, data.Labels); len(faults) > 0 {
			t.Errorf("%q is refused: %v", text, faults)
		}
	}
	f("plain", "plain")
	f("{{ .Prompt }} {{ .Version }}: grounding {{ .Value }}", "support_<script> v23: grounding 0.78")
	f("{{ .Stat }} {{ .Metric }} over {{ .Window }}: {{ .Value }}, was {{ .Reference }} ({{ .Samples }} scores, limit {{ .Bound }})", "mean citation_grounding over 1h: 0.78, was 0.91 (412 scores, limit 0.85)")
	f("{{ .Cohort }} / {{ .Cohort.tier }}", "locale=de, tier=enterprise / enterprise")
	f("{{ .Labels.severity }}{{ if .Previous }}, before: {{ .Previous }}{{ end }}", "page, before: v22")
	f(`{{ printf "%.4f|%6.1f|%s|%v" .Value .Value .Value .Value }}`, "0.7804|   0.8|0.78|0.78")
	f("https://runbooks.example/?prompt={{ urlquery .Prompt }}", "https://runbooks.example/?prompt=support_%3Cscript%3E")
	f("{{ if lt .Value.Float 0.8 }}low{{ else }}fine{{ end }}", "low")
	f("{{ with .Cohort }}{{ .tier }}{{ else }}total{{ end }}", "enterprise")

	// The total has no cohort, and an empty window no value.
	data.Cohort, data.Value = nil, Number{}
	f("{{ .Cohort }}|{{ .Cohort.tier }}|{{ .Value }}", "all||no data")

	data.Prompt = strings.Repeat("ä", MaxAnnotation)
	r.Annotations = map[string]string{"a": "{{ .Prompt }}{{ .Prompt }}"}
	got, err := Expand(r, data)
	if err != nil || len(got["a"]) > MaxAnnotation || !strings.HasSuffix(got["a"], "ä…") {
		t.Errorf("a long text is cut to %d bytes, …%q, %v", len(got["a"]), got["a"][len(got["a"])-8:], err)
	}
	// What cannot be filled in is shown as written, and the rest is not lost.
	r.Annotations = map[string]string{"bad": "{{ .Nope }}", "good": "{{ .Version }}"}
	if got, err := Expand(r, data); err == nil || got["bad"] != "{{ .Nope }}" || got["good"] != "v23" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestNumbers(t *testing.T) {
	f := func(v float64, u Unit, want string) {
		t.Helper()
		if got := (Number{Float: v, Unit: u, Known: true}).String(); got != want {
			t.Errorf("%v in unit %d is %q, want %q", v, u, got, want)
		}
	}
	f(0.7804, Plain, "0.78")
	f(0.785, Plain, "0.785")
	f(4.25, Plain, "4.25")
	f(1, Plain, "1")
	f(-0.0001, Plain, "-0.0001")
	f(12345.6, Plain, "12346")
	f(0, Plain, "0")
	f(4.2, Seconds, "4.2 s")
	f(0.21, Seconds, "210 ms")
	f(0.0004, Seconds, "0.4 ms")
	f(0.9999, Seconds, "1 s")
	f(61, Seconds, "61 s")
	f(200, Seconds, "3m20s")
	f(0, Seconds, "0 s")
	f(0.0028, USD, "$0.0028")
	f(12.5, USD, "$12.50")
	f(0, USD, "$0.00")
	f(0.051, Share, "5.1%")
	f(1, Share, "100%")
	f(0.00012, Share, "0.012%")
	f(1240.4, Whole, "1240")
	f(3.5, Whole, "3.5")
	f(2e9, Whole, "2000000000")

	unit := func(metric string, rubric bool, k StatKind, want Unit) {
		t.Helper()
		r := &Rule{Metric: metric, Rubric: rubric, Threshold: &Threshold{Stat: Stat{Kind: k}}}
		if got := r.Unit(); got != want {
			t.Errorf("%v of %s has unit %d, want %d", k, metric, got, want)
		}
	}
	unit(windows.Latency, false, Quantile, Seconds)
	unit(windows.Latency, false, Count, Whole)
	unit(windows.Cost, false, Sum, USD)
	unit(windows.Error, false, Mean, Share)
	unit(windows.Error, false, Sum, Whole)
	unit("verdict", true, Rate, Share)
	unit("verdict", true, Mean, Plain)
}

func TestGlob(t *testing.T) {
	f := func(pattern, s string, want bool) {
		t.Helper()
		if got := Glob(pattern, s); got != want {
			t.Errorf("Glob(%q, %q) = %v", pattern, s, got)
		}
	}
	f("support_*", "support_intent", true)
	f("support_*", "support_", true)
	f("support_*", "xsupport_", false)
	f("*", "", true)
	f("*", "a/b", true)
	f("", "", true)
	f("", "a", false)
	f("a?c", "abc", true)
	f("a?c", "aäc", true)
	f("a?c", "ac", false)
	f("*a*b", "xaxbxb", true)
	f("*a*b", "xaxbx", false)
	f(`a\*`, "a*", true)
	f(`a\*`, "ab", false)
	f(`a\`, `a\`, true)
	f("[a]", "a", false)
	f("v2", "v23", false)
	f(strings.Repeat("a*", 40)+"b", strings.Repeat("a", 5000), false) // in no time

	g := Group{Match: map[string]string{"prompt": "support_*", "version": "v*"}}
	values := map[string]string{"prompt": "support_intent", "version": "v23"}
	if !g.Matches(func(d string) string { return values[d] }) {
		t.Error("the group does not match its series")
	}
	values["version"] = ""
	if g.Matches(func(d string) string { return values[d] }) {
		t.Error("a version that is missing matches v*")
	}
}

func TestStat(t *testing.T) {
	for _, word := range []string{"mean", "min", "max", "sum", "count", "rate", "p50", "p95", "p99.9", "p0.1", "p99.99"} {
		s, err := ParseStat(word)
		if err != nil || s.String() != word {
			t.Errorf("%s is read as %v, %v", word, s, err)
		}
	}
	for _, word := range []string{"", "p", "p0", "p100", "p-1", "P95", "pNaN", "p1e1", "median", "p.5.5"} {
		if s, err := ParseStat(word); err == nil {
			t.Errorf("%q is read as %v", word, s)
		}
	}
	for q, want := range map[float64]int{0.5: 30, 0.95: 30, 0.99: 100, 0.999: 1000, 0.01: 100} {
		if got := DefaultMinSamples(Stat{Kind: Quantile, Q: q}); got != want {
			t.Errorf("p%v asks for %d values, want %d", q*100, got, want)
		}
	}
}
