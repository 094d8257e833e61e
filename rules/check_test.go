package rules

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite what the testdata expects")

// TestScripts loads the *.yaml files of each archive and compares the problems' text with its file "want". The archive's
// comment may say `dimensions: a, b`, `no registry`.
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
			opts := Options{NoRegistry: strings.Contains(string(archive.Comment), "no registry")}
			for line := range strings.Lines(string(archive.Comment)) {
				if list, ok := strings.CutPrefix(strings.TrimSpace(line), "dimensions: "); ok {
					opts.Dimensions = strings.Split(list, ", ")
				}
			}
			l := newLoader(opts)
			want := -1
			for i, f := range archive.Files {
				if f.Name == "want" {
					want = i
					continue
				}
				l.parse(f.Name, f.Data)
			}
			set, problems := l.finish()
			got := problems.Text()
			for i := range set.Groups {
				g := &set.Groups[i]
				for j := range g.Rules {
					got += g.Name + "/" + g.Rules[j].Alert + ": " + g.Rules[j].Describe() + "\n"
				}
			}
			switch {
			case want >= 0 && string(archive.Files[want].Data) == got:
			case *update && want >= 0:
				archive.Files[want].Data = []byte(got)
				fallthrough
			case *update:
				if want < 0 {
					archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(got)})
				}
				if err := os.WriteFile(script, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("got\n%s", got)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	group := func(name string) string {
		return "groups: [{name: " + name + ", rules: [{alert: A, metric: latency, threshold: {stat: p95, above: 4s}}]}]\n"
	}
	write("rules/b.yaml", group("b"))
	write("rules/a.yaml", group("a"))
	write("rules/team/c.yaml", group("c"))
	write("other/secret.yaml", group("other"))
	if err := os.Symlink("a.yaml", filepath.Join(dir, "rules/link.yaml")); err != nil {
		t.Fatal(err)
	}
	f := func(patterns []string, wantGroups, wantProblems string) {
		t.Helper()
		set, problems := Load(patterns, Options{Dir: dir})
		var groups []string
		for _, g := range set.Groups {
			groups = append(groups, g.Name)
		}
		if got := strings.Join(groups, " "); got != wantGroups {
			t.Errorf("%v: groups %q, want %q", patterns, got, wantGroups)
		}
		if got := strings.ReplaceAll(problems.Text(), dir, "DIR"); got != wantProblems {
			t.Errorf("%v: problems\n%swant\n%s", patterns, got, wantProblems)
		}
	}
	f([]string{"rules/[ab].yaml"}, "a b", "")
	f([]string{"rules/?.yaml", "rules/team/*.yaml", "rules/a.yaml"}, "a b c", "")
	f([]string{"*/team/*.yaml"}, "c", "")
	f([]string{filepath.Join(dir, "rules/a.yaml")}, "a", "")
	f([]string{"rules/[al]*.yaml"}, "a a", "DIR/rules/link.yaml:1:17: there is a group `a` at DIR/rules/a.yaml:1:11 already\n"+
		"    1 | groups: [{name: a, rules: [{alert: A, metric: latency, threshold: {stat: p95, above: 4s}}]}]\n      |                 ^ rename one of them, or put the rules together\n")
	f([]string{"rules/x*.yaml", "nowhere/*.yaml", "x.yaml", "rules", "rules/**/*.yaml", "rules/[.yaml"}, "",
		"rules/x*.yaml: no file matches\n    relative patterns start from `DIR`\nnowhere/*.yaml: no file matches\n    relative patterns start from `DIR`\n"+
			"x.yaml: there is no such file\n    relative patterns start from `DIR`\nrules: this is a folder\n    write rules/*.yaml\n"+
			"rules/**/*.yaml: `**` is not supported in patterns\n    name each folder, such as rules/*.yaml and rules/team/*.yaml\n"+
			"rules/[.yaml: the pattern is malformed\n    * is any text, ? one character, [a-z] one of a range\n")
	// A link out of the folder is not followed by a pattern, but is where it is named.
	if err := os.Symlink("../other/secret.yaml", filepath.Join(dir, "rules/out.yaml")); err != nil {
		t.Fatal(err)
	}
	if set, problems := Load([]string{"rules/o*.yaml"}, Options{Dir: dir}); problems.Errors() != 1 || len(set.Groups) != 0 {
		t.Errorf("a link out of the folder gives %q", problems.Text())
	}
	f([]string{"rules/out.yaml"}, "other", "")
}

// fuzzSeeds are a rule file for each rule of one that stands in one line, or the file itself where there are none: on small ones
// fuzzing gets further.
func fuzzSeeds(text string) (seeds []string) {
	rubrics, _, _ := strings.Cut(text, "\ngroups:")
	if strings.Contains(rubrics, "groups:") {
		rubrics = ""
	}
	for line := range strings.Lines(text) {
		if rule, ok := strings.CutPrefix(strings.TrimSpace(line), "- {alert:"); ok {
			seeds = append(seeds, rubrics+"\ngroups: [{name: g, slice_by: [tier], rules: [{alert:"+rule+"]}]\n")
		}
	}
	if len(seeds) == 0 {
		return []string{text}
	}
	return seeds
}

// FuzzParse holds that no rule file makes the checks panic, that problems stand inside the file, and that a set without errors
// holds rules that can be used.
func FuzzParse(f *testing.F) {
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if file.Name != "want" {
				for _, seed := range fuzzSeeds(string(file.Data)) {
					f.Add(seed)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, problems := Parse("f.yaml", []byte(text), Options{Dimensions: []string{"tier", "locale"}})
		lines := strings.FieldsFunc(strings.ToValidUTF8(text, "\ufffd"), func(r rune) bool { return strings.ContainsRune("\n\r\u0085\u2028\u2029", r) })
		longest := 0
		for _, l := range lines {
			longest = max(longest, utf8.RuneCountInString(l))
		}
		for _, p := range problems {
			if p.File != "f.yaml" || p.Line < 0 || p.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+strings.Count(text, "\u0085")+strings.Count(text, "\u2028")+strings.Count(text, "\u2029")+1 || p.Column > longest+1 {
				t.Errorf("%q: place %s is outside the file", text, p.Place())
			}
		}
		_ = problems.Text()
		if problems.Err() != nil {
			return
		}
		for i := range set.Groups {
			g := &set.Groups[i]
			g.Matches(func(string) string { return "x" })
			for j := range g.Rules {
				r := &g.Rules[j]
				if fault := unusable(r); fault != "" {
					t.Errorf("%q: rule %+v: %s", text, r, fault)
				}
				if _, err := Expand(r, TemplateData{Value: r.NumberOf(1), Labels: r.Labels}); err != nil {
					t.Errorf("%q: %v", text, err)
				}
			}
		}
	})
}

// unusable says what the engine could not work with.
func unusable(r *Rule) string {
	kinds := 0
	for _, set := range []bool{r.Threshold != nil, r.Volume != nil, r.Drift != nil, r.Canary != nil, r.Exceed != nil, r.Shape != nil, r.Change != "", r.TrafficShare != nil} {
		if set {
			kinds++
		}
	}
	if kinds != 1 || r.Metric == "" {
		return "it has not one kind and a metric"
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	if b, ok := r.Budget(); ok {
		if !(b.Count > 0) || b.Per <= 0 || !(b.PerDay() > 0) || !finite(b.PerDay()) {
			return "its budget is none"
		}
		if r.For != 0 || r.MinSamples != 0 || r.Window() != 0 {
			return "a sequential kind has a window"
		}
	}
	for _, d := range []*Drift{r.Drift, r.Canary} {
		if d == nil {
			continue
		}
		s := r.Scale
		switch {
		case !s.HasRange || !(s.Min < s.Max) || !(d.By.Value > 0) || !finite(d.By.Value) || d.Against.Kind == AgainstNone:
			return "it cannot be tested"
		case d.Against.Kind == AgainstFixed && (d.By.Percent || !(d.Against.Value > s.Min && d.Against.Value < s.Max)):
			return "its reference is outside the scale"
		}
	}
	switch below, above := r.Bounds(); {
	case r.Exceed != nil && (!(r.Exceed.Share > 0 && r.Exceed.Share < 1) || !finite(r.Exceed.Limit)):
		return "its share or limit is none"
	case r.Shape != nil && (!(r.Shape.Above > 0) || r.Window() <= 0 || r.Against().Kind == AgainstNone || r.Rollback != RollbackOff):
		return "the shape is not whole"
	case r.Change != "" && !slices.Contains(Axes, r.Change):
		return "there is no such axis"
	case (r.Threshold != nil || r.Volume != nil || r.TrafficShare != nil) && (below == nil && above == nil || r.Window() <= 0):
		return "it has no limit or window"
	}
	return ""
}
