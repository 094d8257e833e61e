package alert

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
)

// silenceRec makes a silenced record. Matchers are written as in team=ml and tier=~a|b.
func silenceRec(id string, step int, from, to time.Time, matchers ...string) detector.Record {
	s := detector.Silence{Starts: from, Ends: to, Comment: "deploy"}
	for _, m := range matchers {
		i := strings.IndexAny(m, "=!")
		op := m[i : i+1]
		if len(m) > i+1 && (op == "!" || m[i+1] == '~') {
			op = m[i : i+2]
		}
		s.Matchers = append(s.Matchers, detector.Matcher{Label: m[:i], Op: op, Value: m[i+len(op):]})
	}
	return detector.Record{ID: id, Step: step, Type: detector.Silenced, Time: from, Actor: "jane", Silence: &s}
}

func TestSilenceMatchers(t *testing.T) {
	labels := map[string]string{"team": "support-ml", "tier": "enterprise", "severity": "page"}
	f := func(want bool, matchers ...string) {
		t.Helper()
		s := NewSilences()
		r := silenceRec("s", 1, t0, t0.Add(time.Hour), matchers...)
		s.Fold(&r)
		if got := s.Match(labels, t0) != nil; got != want {
			t.Errorf("%q matches: %v, want %v", matchers, got, want)
		}
	}
	f(true, "team=support-ml")
	f(false, "team=support")
	f(true, "team=support-ml", "severity=page")
	f(false, "team=support-ml", "severity=info")
	f(true, "team!=sales")
	f(false, "team!=support-ml")
	f(true, "team=~support-.*")
	f(true, "team=~support-ml|sales")
	f(false, "team=~support") // the whole value
	f(false, "team=~upport-ml")
	f(true, "team!~support")
	f(false, "team!~s.*")
	f(true, "locale=") // a label that is missing is empty
	f(false, "locale=~.+")
	f(true, "locale=~.*")
	f(true, "locale!=de")
	f(false) // without matchers it would match everything
}

// What cannot be read matches nothing, whatever its operator, and is counted until it is mended.
func TestSilenceBad(t *testing.T) {
	for _, m := range []detector.Matcher{
		{Label: "a", Op: "=~", Value: "("}, {Label: "a", Op: "!~", Value: "["}, {Label: "a", Op: "~", Value: "x"}, {},
		{Label: "a", Op: "=~", Value: strings.Repeat("x", maxExpression+1)},
	} {
		s := NewSilences()
		r := silenceRec("s", 1, t0, t0.Add(time.Hour), "a!=b")
		r.Silence.Matchers = append(r.Silence.Matchers, m)
		s.Fold(&r)
		if s.Match(map[string]string{}, t0) != nil || s.Bad() != 1 {
			t.Errorf("%+v: matches, or is not counted (%d)", m, s.Bad())
		}
		mended := silenceRec("s", 2, t0, t0.Add(time.Hour), "a!=b")
		s.Fold(&mended)
		if s.Match(map[string]string{}, t0) == nil || s.Bad() != 0 {
			t.Errorf("%+v: it does not match when it is mended", m)
		}
	}
	s := NewSilences()
	if s.Fold(&detector.Record{ID: "x", Step: 1, Type: detector.Silenced}) {
		t.Error("a record without a silence changed something")
	}
}

func TestSilenceTimes(t *testing.T) {
	s, labels := NewSilences(), map[string]string{"a": "1"}
	at := func(want string, now time.Time) {
		t.Helper()
		got := ""
		if r := s.Match(labels, now); r != nil {
			got = r.ID
		}
		if got != want {
			t.Errorf("at %v: %q, want %q", now, got, want)
		}
	}
	h := func(n float64) time.Time { return t0.Add(time.Duration(n * float64(time.Hour))) }
	for _, r := range []detector.Record{silenceRec("x", 1, h(1), h(3), "a=1"), silenceRec("y", 1, h(2), h(5), "a=~."), silenceRec("z", 1, h(0), h(9), "a=2")} {
		s.Fold(&r)
	}
	at("", h(0.9))
	at("x", h(1))
	at("y", h(2)) // ends last
	at("y", h(4.9))
	at("", h(5))
	if next, ok := s.Next(h(1)); !ok || !next.Equal(h(2)) {
		t.Errorf("next is %v %v", next, ok)
	}
	early := silenceRec("y", 2, h(2), h(2.5), "a=~.")
	s.Fold(&early)
	old := silenceRec("y", 1, h(2), h(5), "a=~.") // read again
	if s.Fold(&old) {
		t.Error("an older record changed a silence")
	}
	at("x", h(2.6))
	if end, ok := s.Ends("y"); !ok || !end.Equal(h(2.5)) {
		t.Errorf("ends %v %v", end, ok)
	}
	if _, ok := s.Next(h(10)); ok {
		t.Error("something comes after all are over")
	}
}

// A silence that holds until resolved ends when the last of the alerts that it matched resolves, and not with one that fires
// in another hour, or was over before.
func TestSilenceUntilResolved(t *testing.T) {
	type ev struct {
		id  string
		min int
		typ detector.RecordType
	}
	step := func(n int, e ev) detector.Record {
		r := rec(e.id, n, e.typ, 0.8)
		r.Time = t0.Add(time.Duration(e.min) * time.Minute)
		return r
	}
	f := func(what string, want int, evs ...ev) {
		t.Helper()
		for _, first := range []bool{true, false} { // the order of partitions changes nothing
			s := NewSilences()
			r := silenceRec("s", 1, t0, t0.Add(time.Hour), "prompt=a")
			r.Silence.UntilResolved = true
			if first {
				s.Fold(&r)
			}
			for i, e := range evs {
				r := step(i+1, e)
				s.Fold(&r)
			}
			if !first {
				s.Fold(&r)
			}
			end, _ := s.Ends("s")
			if got := int(end.Sub(t0).Minutes()); got != want {
				t.Errorf("%s, silence first %v: ends after %d minutes, want %d", what, first, got, want)
			}
			active := s.Match(map[string]string{"prompt": "a"}, t0.Add(30*time.Minute)) != nil
			if active != (want == 60) {
				t.Errorf("%s, silence first %v: active %v", what, first, active)
			}
		}
	}
	const fires, over = detector.Firing, detector.Resolved
	f("nothing fires", 60)
	f("fires on", 60, ev{"a1", -5, fires})
	f("over before", 60, ev{"a1", -5, fires}, ev{"a1", -1, over})
	f("resolves", 7, ev{"a1", -5, fires}, ev{"a1", 7, over})
	f("began later", 7, ev{"a1", 5, fires}, ev{"a1", 7, over})
	f("the last counts", 9, ev{"a1", -5, fires}, ev{"a2", 3, fires}, ev{"a1", 7, over}, ev{"a2", 9, over})
	f("fires anew", 7, ev{"a1", -5, fires}, ev{"a1", 7, over}, ev{"a1", 8, fires})
	f("another joins after", 7, ev{"a1", -5, fires}, ev{"a1", 7, over}, ev{"a2", 8, fires})
	f("gets worse", 60, ev{"a1", -5, fires}, ev{"a1", 7, fires})
	f("another prompt", 60, ev{"a1", -5, fires}, ev{"b1", -5, fires}, ev{"b1", 7, over})
	f("over by time first", 60, ev{"a1", -5, fires}, ev{"a1", 70, over})
}

// What matches does not depend on the order in which partitions are read, as long as each alert fires once.
func TestSilenceOrder(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		parts := make([][]detector.Record, 3)
		for i := range 6 {
			from := t0.Add(time.Duration(rnd.IntN(60)) * time.Minute)
			r := rec(fmt.Sprintf("a%d", i), 1, detector.Firing, 0.8)
			r.Time = from
			parts[i%3] = append(parts[i%3], r)
			if rnd.IntN(3) > 0 {
				r := rec(fmt.Sprintf("a%d", i), 2, detector.Resolved, 0.8)
				r.Time = from.Add(time.Duration(rnd.IntN(40)) * time.Minute)
				parts[i%3] = append(parts[i%3], r)
			}
		}
		r := silenceRec("s", 1, t0.Add(20*time.Minute), t0.Add(5*time.Hour), "prompt=a")
		r.Silence.UntilResolved = true
		parts = append(parts, []detector.Record{r})
		want := time.Time{}
		for range 20 {
			s, next := NewSilences(), make([]int, len(parts))
			for left := true; left; {
				left = false
				for _, p := range rnd.Perm(len(parts)) {
					if next[p] < len(parts[p]) {
						s.Fold(&parts[p][next[p]])
						s.Ends("s") // as one who asks each time
						next[p]++
						left = true
						break
					}
				}
			}
			end, _ := s.Ends("s")
			if want.IsZero() {
				want = end
			}
			if !end.Equal(want) {
				t.Fatalf("seed %d: ends at %v or %v", seed, end, want)
			}
		}
	}
}

func FuzzSilence(f *testing.F) {
	f.Add("=~", "a|b", "a")
	f.Add("!~", "(", "")
	f.Add("=", "", "x")
	f.Fuzz(func(t *testing.T, op, pattern, value string) {
		s := NewSilences()
		r := detector.Record{ID: "s", Step: 1, Type: detector.Silenced, Silence: &detector.Silence{Matchers: []detector.Matcher{{Label: "l", Op: op, Value: pattern}}, Ends: t0.Add(time.Hour)}}
		s.Fold(&r)
		if s.Match(map[string]string{"l": value}, t0) != nil && s.Bad() > 0 {
			t.Error("a bad silence matches")
		}
	})
}
