package detector

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/scripts"
)

// TestAxesOfAPartition asks for what alerts are explained by, after a restart as before it.
func TestAxesOfAPartition(t *testing.T) {
	if testing.Short() {
		t.Skip("some days of traffic")
	}
	s := &script{t: t, file: "axes"}
	run := func(text string) {
		t.Helper()
		if out := s.run(scripts.Block{Input: text}); out != "" {
			t.Fatalf("steps of a rule that asks for nothing:\n%s", out)
		}
	}
	changes := func(version string, from, to time.Duration) string {
		var out []string
		for _, c := range s.p.engine.axes.changes("p", version, scriptStart.Add(from), scriptStart.Add(to)) {
			out = append(out, fmt.Sprintf("%s %s→%s %s", c.Axis, c.From, c.To, clock(c.Time)))
		}
		return strings.Join(out, ", ")
	}
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	models := func(model string) string { return fmt.Sprint(s.p.engine.axes.onModel(model)) }

	run("rules\ngroups: [{name: g, rules: [{alert: A, metric: cost, threshold: {stat: max, above: 1}}]}]")
	run(`add for=24h series=p/v1 model=m1 hash=a n=10
add for=3h series=q/v7 model=m1 hash=a n=10
add t=2h for=1h series=p/v2 model=m1 hash=b n=5
add t=3h for=7h series=p/v2 model=m2 hash=b n=5
add t=3h for=6h series=p/ model=m3 hash=c n=5
advance 90m`)
	check("before it comes", changes("v2", 0, 99*time.Hour), "")
	check("the first version", changes("v1", 0, 99*time.Hour), "")
	run("advance 50m")
	check("when it has come", changes("v2", 0, 99*time.Hour), "version v1→v2 2h")
	check("on the model", models("m1"), "[[p v1] [p v2] [q v7]]")
	run("advance 100m\nrestart")
	for range 2 {
		check("a model is swapped", changes("v2", 0, 99*time.Hour), "version v1→v2 2h, model m1→m2 3h")
		check("in time", changes("v2", 121*time.Minute, 181*time.Minute), "model m1→m2 3h")
		check("not by then", changes("v2", 121*time.Minute, 179*time.Minute), "")
		check("not in others", changes("v1", 0, 99*time.Hour)+changes("v3", 0, 99*time.Hour)+changes("", 0, 99*time.Hour), "")
		check("model", s.p.engine.axes.model("p", "v2")+" "+s.p.engine.axes.model("p", "")+" "+s.p.engine.axes.model("p", "v9"), "m2 m3 ")
		check("on the old model", models("m1"), "[[p v1]]") // q has had no calls for an hour
		check("on the new model", models("m2"), "[[p v2]]")
		check("on no model", models("m9"), "[]")
		s.p = s.log.reopen(t, s.p, s.set)
	}

	// v2 goes after ten hours and comes back a day later, to take all: as v1's successor, which it is no more, and at once v1 from it.
	run("add t=34h for=2h series=p/v2 model=m2 hash=b n=10\nadd t=36h for=2h series=p/v1 model=m1 hash=a n=10\nadvance 35h")
	check("it takes over", changes("v2", 20*time.Hour, 99*time.Hour), "version v1→v2 34h")
	run("advance 4h")
	check("and is replaced", changes("v1", 20*time.Hour, 99*time.Hour), "version v2→v1 36h")
	if v := s.p.engine.axes.holder("p"); v != "v1" {
		t.Errorf("%s holds most calls, want v1", v)
	}
	run("add t=46h for=10h series=q/v8 n=1\nadvance 20h")
	check("for two days", changes("v2", 0, 99*time.Hour), "version v1→v2 34h")
	a := s.p.engine.axes
	if len(a.versions) != 5 {
		t.Errorf("%d versions are known, want 5", len(a.versions))
	}
	run("add t=240h series=q/v8 n=1\nadvance 190h")
	if len(a.versions) != 1 || len(a.prompts) != 1 {
		t.Errorf("%d versions and %d prompts are known a week later, want 1 of each", len(a.versions), len(a.prompts))
	}
	b := newAxes()
	r := reader{rest: a.save(nil)}
	if b.load(&r); r.bad || len(r.rest) > 0 || !bytes.Equal(b.save(nil), a.save(nil)) {
		t.Error("saved and loaded the axes are others")
	}
}

// A version's changes are bounded, the newest are kept.
func TestChangesAreBounded(t *testing.T) {
	a := newAxes()
	v := &traced{prompt: "p", version: "v", axes: make([]axis, len(valued))}
	a.versions[[2]string{"p", "v"}] = v
	for i := range 100 {
		a.now = minuteEnd(i)
		a.note(v, Changed{Axis: axisModel, From: fmt.Sprint(i), To: fmt.Sprint(i + 1), Time: a.now}, 5)
	}
	got := a.changes("p", "v", time.Time{}, minuteEnd(1000))
	if len(got) != maxChanges || got[0].To != fmt.Sprint(101-maxChanges) || got[maxChanges-1].To != "100" {
		t.Errorf("%d changes from %+v to %+v", len(got), got[0], got[len(got)-1])
	}
}
