package detector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/driftd/driftd/internal/testkit"
	"github.com/driftd/driftd/rules"
)

// showStatus is a status as scripts have it.
func showStatus(all []RuleStatus) string {
	var b strings.Builder
	for _, st := range all {
		fmt.Fprintf(&b, "%s %s known=%d watched=%d learning=%d firing=%d\n", st.Kind, st.Rule, st.Known, st.Watched, st.Learning, st.Firing)
		for _, s := range st.Series {
			fmt.Fprintf(&b, "  %s/%s %s: %s", s.Prompt, s.Version, rules.Cohort(s.Cohort), s.State)
			if s.Needed > 0 {
				fmt.Fprintf(&b, " %d of %d", s.Learned, s.Needed)
			}
			if w := s.Against; w != nil {
				fmt.Fprintf(&b, " against=%s", w.Kind)
				if name := w.Version + w.Variant + w.Environment; name != "" {
					fmt.Fprintf(&b, ":%s", name)
				}
				if w.Sealed != nil {
					fmt.Fprintf(&b, " sealed=%s,%d", clock(*w.Sealed), w.Samples)
				}
			}
			for _, f := range []struct {
				name string
				v    *float64
			}{{"reference", s.Reference}, {"bound", s.Bound}, {"detectable", s.Detectable}} {
				if f.v != nil {
					fmt.Fprintf(&b, " %s=%.4g", f.name, *f.v)
				}
			}
			if s.Clamped > 0 {
				fmt.Fprintf(&b, " clamped=%d", s.Clamped)
			}
			if d := s.Difference; d != nil {
				fmt.Fprintf(&b, " difference=%.3f..%.3f %s", d.Low, d.High, d.Verdict)
				if d.More > 0 {
					fmt.Fprintf(&b, " more=%d", d.More)
				}
				fmt.Fprintf(&b, " samples=%d,%d", d.Samples, d.Others)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// TestWorkerStatus: the partitions' goroutines answer, and who asks does not wait for one that is over.
func TestWorkerStatus(t *testing.T) {
	set := parsed(t, fixtureRules+"      - {alert: Tail, metric: latency, exceed: {above: 6s}}\n")
	f := newFixture(t)
	if err := f.s.p.SetRules(set); err != nil {
		t.Fatal(err)
	}
	w, _, stop := f.run(WorkerOptions{})
	w.SetRules(set)
	testkit.Until(t, "new rules", func() bool {
		got, err := w.Status(t.Context())
		return err == nil && len(got) == 1
	})
	f.send(12, "for=6m series=p/v1/free latency=5,7 n=10", "for=6m series=p/v1/paid latency=1 n=30")
	f.untilWanted()
	want := f.s.p.Status()
	if len(want) != 1 || want[0].Known != 3 || want[0].Watched != 3 || want[0].Firing != 1 {
		t.Fatalf("the fixture stands at %+v", want)
	}
	testkit.Until(t, "the same status", func() bool {
		got, err := w.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(got) == 1 && reflect.DeepEqual(got, want)
	})
	stop()
	if got, err := w.Status(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("after the end: %+v, %v", got, err)
	}
}

// TestStatusOfPartitions: a rule is told once, whatever partitions its prompts are in, and not more series than there is room for.
func TestStatusOfPartitions(t *testing.T) {
	one := RuleStatus{Rule: "A", Known: maxStatus, Watched: 2, More: 3}
	two := RuleStatus{Rule: "A", Known: 5, Firing: 1, Learning: 2}
	for i := range maxStatus {
		one.Series = append(one.Series, SeriesStatus{State: StateWatching, Evidence: float64(i)})
	}
	two.Series = []SeriesStatus{{State: StateFiring}, {State: StateWatching, Evidence: 7.5}, {State: StateLearning}}
	one.merge(&two)
	if one.Known != maxStatus+5 || one.Watched != 2 || one.Firing != 1 || one.Learning != 2 || one.More != 6 || len(one.Series) != maxStatus {
		t.Errorf("known %d, watched %d, firing %d, learning %d, %d series and %d more", one.Known, one.Watched, one.Firing, one.Learning, len(one.Series), one.More)
	}
	if one.Series[0].State != StateFiring || one.Series[1].Evidence != maxStatus-1 || one.Series[maxStatus-1].Evidence != 2 {
		t.Errorf("not the worst first: %+v, %+v, …, %+v", one.Series[0], one.Series[1], one.Series[maxStatus-1])
	}
}

// TestAskWhoIsBusy: who asks a task that does not get to answering can give up.
func TestAskWhoIsBusy(t *testing.T) {
	w, busy := &Worker{}, &task{}
	leave := w.enter(busy)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	leave()
	if got, err := w.Status(t.Context()); err != nil || got != nil {
		t.Errorf("after it left: %v, %v", got, err)
	}
}

// TestStatusOfMany: of many series the worst are told, the same whatever order they are walked in.
func TestStatusOfMany(t *testing.T) {
	const n = 20 * maxStatus
	y := newPlay(t, `groups: [{name: g, rules: [{alert: A, metric: latency, exceed: {above: 0.5s, share: 50%}}]}]`)
	rng := rand.New(rand.NewPCG(3, 3))
	var scores []score
	for i := range n {
		for range rng.IntN(4) + 1 {
			scores = append(scores, score{strconv.Itoa(i), "v", "", "", rng.Float64()})
		}
	}
	y.next(scores)
	k := sequentialOf(y.p.engine.rules[0].kind)
	var evidences []float64
	for i, s := range k.sorted() {
		if i%1000 == 7 {
			s.alert = &alert{}
			continue
		}
		evidences = append(evidences, s.proof.M())
	}
	slices.SortFunc(evidences, func(a, b float64) int { return cmp.Compare(b, a) })
	st := y.p.Status()[0]
	if len(st.Series) != maxStatus || st.More != n-maxStatus || st.Known != n || evidences[0] == evidences[maxStatus] {
		t.Fatalf("%d series and %d more, of %d", len(st.Series), st.More, st.Known)
	}
	for i, s := range st.Series {
		switch {
		case i < n/1000 && s.State != StateFiring:
			t.Errorf("series %d is %s, and others fire", i, s.State)
		case i >= n/1000 && s.Evidence != evidences[i-n/1000]:
			t.Errorf("series %d has evidence %g, want %g", i, s.Evidence, evidences[i-n/1000])
		}
	}
	for range 3 {
		if again := y.p.Status()[0]; !reflect.DeepEqual(again, st) {
			t.Fatal("asked again, it says something else")
		}
	}
}
