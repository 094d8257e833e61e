package detector

import (
	"math"
	"testing"
	"time"

	"github.com/driftd/driftd/rules"
)

func TestLimits(t *testing.T) {
	number := func(v float64) *rules.Bound { return &rules.Bound{Value: v} }
	percent := func(v float64) *rules.Bound { return &rules.Bound{Value: v, Percent: true} }
	of := func(below, above, recoverAbove, recoverBelow *rules.Bound) limits {
		return limits{limitOf(below), limitOf(above), limitOf(recoverAbove), limitOf(recoverBelow)}
	}
	band := of(number(10), number(20), number(12), number(18))
	for _, c := range []struct {
		name      string
		limits    limits
		value     float64
		reference float64
		was       side
		side      side
		bound     float64
	}{
		{"at the lower limit", band, 10, math.NaN(), neither, neither, 0},
		{"under it", band, 9.99, math.NaN(), neither, under, 10},
		{"at the upper limit", band, 20, math.NaN(), neither, neither, 0},
		{"over it", band, 20.01, math.NaN(), neither, over, 20},
		{"fell, not over recover_above", band, 11.9, math.NaN(), under, under, 10},
		{"fell, at recover_above", band, 12, math.NaN(), under, neither, 0},
		{"fell, in the upper hysteresis", band, 19, math.NaN(), under, neither, 0},
		{"fell, now over", band, 21, math.NaN(), under, over, 20},
		{"rose, not under recover_below", band, 18.1, math.NaN(), over, over, 20},
		{"rose, at recover_below", band, 18, math.NaN(), over, neither, 0},
		{"share of a reference", of(percent(0.9), nil, nil, nil), 0.8, 1, neither, under, 0.9},
		{"share of another", of(percent(0.9), nil, nil, nil), 0.8, 0.85, neither, neither, 0},
		{"90% of a negative one is below it", of(percent(0.9), nil, nil, nil), -1.05, -1, neither, neither, 0},
		{"and further below is under", of(percent(0.9), nil, nil, nil), -1.2, -1, neither, under, -1.1},
		{"120% of a negative one is above it", of(nil, percent(1.2), nil, nil), -0.7, -1, neither, over, -0.8},
		{"of zero, zero", of(percent(0.5), percent(2), nil, nil), 0, 0, neither, neither, 0},
		{"of zero, more", of(percent(0.5), percent(2), nil, nil), 0.1, 0, neither, over, 0},
		{"no value", band, math.NaN(), math.NaN(), neither, neither, 0},
	} {
		side, bound := c.limits.judge(c.value, c.reference, c.was)
		if side != c.side || side != neither && math.Abs(bound-c.bound) > 1e-12 {
			t.Errorf("%s: side %d at %v, want %d at %v", c.name, side, bound, c.side, c.bound)
		}
	}
}

func TestMove(t *testing.T) {
	breach, clear, empty, worse := verdict{side: under}, verdict{}, verdict{reason: reasonNoData}, verdict{side: under, worse: true}
	for _, c := range []struct {
		name       string
		wait, keep int // minutes
		ticks      []verdict
		want       []string // by tick
	}{
		{"at once", 0, 0, []verdict{breach, breach, clear, breach}, []string{"firing", "", "resolved recovered", "firing"}},
		{"lasts", 2, 0, []verdict{breach, breach, breach, clear}, []string{"pending", "", "firing", "resolved recovered"}},
		{"does not last", 2, 0, []verdict{breach, breach, clear, breach}, []string{"pending", "", "resolved did not last", "pending"}},
		{"pending without data", 2, 5, []verdict{breach, empty}, []string{"pending", "resolved no data in the window"}},
		{"kept", 0, 2, []verdict{breach, clear, clear, clear}, []string{"firing", "", "", "resolved recovered"}},
		{"breached while kept", 0, 2, []verdict{breach, clear, breach, clear, clear, empty},
			[]string{"firing", "", "", "", "", "resolved no data in the window"}},
		{"gets worse", 1, 1, []verdict{worse, worse, breach, worse, clear, worse, clear, clear, worse},
			[]string{"pending", "firing", "", "firing worse", "", "firing worse", "", "resolved recovered", "pending"}},
	} {
		a := &alert{}
		for i, v := range c.ticks {
			now := scriptStart.Add(time.Duration(i) * time.Minute)
			happened, reason := a.move(now, &v, time.Duration(c.wait)*time.Minute, time.Duration(c.keep)*time.Minute)
			got := string(happened)
			if reason != "" {
				got += " " + reason
			}
			if got != c.want[i] {
				t.Errorf("%s, tick %d: %q, want %q", c.name, i, got, c.want[i])
			}
		}
	}
}

func TestClearlyWorse(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name         string
		side         side
		value, bound float64
		told, was    float64 // value and bound of the newest step
		least        float64
		want         bool
	}{
		{"a twentieth of the bound", under, 0.75, 0.8, 0.79, 0.8, 0, true},
		{"hardly less", under, 0.7501, 0.8, 0.79, 0.8, 0, false},
		{"over the upper limit", over, 4.3, 4, 4.1, 4, 0, true},
		{"hardly less over it", over, 4.29, 4, 4.1, 4, 0, false},
		{"a quarter of far beyond", over, 9, 4, 8, 4, 0, true},
		{"less than a quarter", over, 8.9, 4, 8, 4, 0, false},
		{"the bound has moved as far", under, 0.6, 0.7, 0.7, 0.8, 0, false},
		{"the bound alone has moved", under, 0.7, 0.8, 0.7, 0.75, 0, true},
		{"better", under, 0.79, 0.8, 0.7, 0.8, 0, false},
		{"in the hysteresis", under, 0.87, 0.8, 0.79, 0.8, 0, false},
		{"recovered", neither, 0.1, 0.8, 0.79, 0.8, 0, false},
		{"fell, now over", over, 30, 20, 9, 10, 0, true},
		{"not by chance", under, 0.7, 0.8, 0.79, 0.8, 0.08, true},
		{"perhaps by chance", under, 0.7, 0.8, 0.79, 0.8, 0.1, false},
		{"a bound of zero", over, 5, 0, 4, 0, 0, true},
		{"a bound of zero, by little", over, 4.9, 0, 4, 0, 0, false},
		{"a negative bound", under, -1.2, -1, -1.1, -1, 0, true},
		{"no value", under, nan, 0.8, 0.79, 0.8, 0, false},
		{"nothing known of the step", under, 0.1, 0.8, nan, nan, 0, false},
	} {
		v, told := verdict{side: c.side, value: c.value, bound: c.bound}, verdict{value: c.told, bound: c.was}
		if got := v.clearlyWorse(&told, c.least); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestIdentity(t *testing.T) {
	head := &Record{Group: "g", Rule: "r", Labels: map[string]string{"severity": "page", "team": "ml"}}
	s := &subject{"p", "v1", []string{"free", "de"}}
	by := []string{"tier", "locale"}
	id := identity(head, s, by)
	if got := identity(head, &subject{"p", "v1", []string{"de", "free"}}, []string{"locale", "tier"}); got != id {
		t.Error("the order of dimensions makes another identity")
	}
	for name, other := range map[string]ID{
		"group":            identity(&Record{Group: "h", Rule: "r", Labels: head.Labels}, s, by),
		"names run over":   identity(&Record{Group: "gr", Rule: "", Labels: head.Labels}, s, by),
		"label":            identity(&Record{Group: "g", Rule: "r", Labels: map[string]string{"severity": "warn", "team": "ml"}}, s, by),
		"no label":         identity(&Record{Group: "g", Rule: "r"}, s, by),
		"version":          identity(head, &subject{"p", "v2", s.cohort}, by),
		"cohort":           identity(head, &subject{"p", "v1", []string{"free", "en"}}, by),
		"other dimensions": identity(head, s, []string{"locale", "tier"}),
		"total":            identity(head, &subject{"p", "v1", nil}, by),
	} {
		if other == id {
			t.Errorf("another %s is the same identity", name)
		}
	}
	// For ever: what stands in logs must be found again.
	if got, want := id.String(), "fa5ae3050224984fea298fe6e791b5b5"; got != want {
		t.Errorf("identity %s, want %s", got, want)
	}
}

func TestHistory(t *testing.T) {
	h := NewHistory()
	at := func(minute int, step int, typ RecordType) *Record {
		return &Record{ID: "fa5ae3050224984fea298fe6e791b5b5", Step: step, Type: typ, Time: scriptStart.Add(time.Duration(minute) * time.Minute)}
	}
	h.Add(at(1, 1, Pending))
	h.Add(at(99, 1, Notified))
	h.Add(at(3, 2, Firing))
	h.Add(at(1, 1, Pending)) // told twice
	h.Add(&Record{ID: "rubbish", Step: 1, Type: Firing, Time: scriptStart.Add(time.Hour)})
	if len(h.open) != 1 || !h.Until().Equal(scriptStart.Add(3*time.Minute)) {
		t.Fatalf("%d open until %v, want one until 3m", len(h.open), h.Until())
	}
	h.Add(at(4, 3, Resolved))
	if len(h.open) != 0 || len(h.steps.of) != 1 {
		t.Errorf("%d open, %d counted after the end, want 0, 1", len(h.open), len(h.steps.of))
	}
}

// What is remembered of alerts that are over is bounded, and no number is given out twice all the same.
func TestStepsAreForgotten(t *testing.T) {
	s := newSteps()
	id := func(n byte) ID { return ID{n} }
	now := scriptStart
	for range 5 {
		s.next(id(1), now)
	}
	s.next(id(2), now)
	s.next(id(3), now)
	open := map[ID]*alert{id(3): {}}
	now = now.Add(stepsKept)
	s.forget(now, open)
	if n := s.next(id(2), now); n != 2 || len(s.of) != 3 {
		t.Errorf("step %d of %d alerts, want 2 of 3", n, len(s.of))
	}
	now = now.Add(time.Hour)
	s.forget(now, open)
	if len(s.of) != 2 {
		t.Errorf("%d alerts are remembered, want the open one and the one that moved", len(s.of))
	}
	var back steps
	back.load(&reader{rest: s.save(nil)})
	for name, s := range map[string]*steps{"live": &s, "restored": &back} {
		for i, want := range []int{6, 3, 2, 6} { // the first was forgotten after 5, the last was never heard of
			if n := s.next(id(byte(i+1)), now); n != want {
				t.Errorf("%s: next step of alert %d is %d, want %d", name, i+1, n, want)
			}
		}
	}
}
