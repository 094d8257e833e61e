package demo

import (
	"fmt"
	"hash/fnv"
	"math"
	"testing"
	"time"
)

// hour is what an hour of traffic comes to.
type hour struct {
	hash   uint64 // of all events, in short runs
	events int
	calls  map[string]int // by prompt, version
	scores map[string]*mean
}

type mean struct {
	n   int
	sum float64
}

func (m *mean) add(v float64)  { m.n++; m.sum += v }
func (m *mean) value() float64 { return m.sum / float64(m.n) }

// run makes n seconds of traffic; at second swap the registry gets the bad version.
func run(t *testing.T, seed uint64, n, swap int64) *hour {
	t.Helper()
	now := int64(0)
	current := func(name string) string {
		for i := range prompts {
			if prompts[i].name == name {
				if name == support && now >= swap {
					return bad
				}
				return prompts[i].first
			}
		}
		t.Fatalf("the registry is asked for %s", name)
		return ""
	}
	tr := newTraffic(seed, Day.Begin, current)
	out := &hour{calls: make(map[string]int), scores: make(map[string]*mean)}
	h := fnv.New64a()
	note := func(event any) {
		if n <= 300 { // printing all of a long run takes seconds
			fmt.Fprintf(h, "%+v", event)
		}
	}
	score := func(version, tier, locale string, v float64) {
		name := version + " others"
		if tier == badTier && locale == badLocale {
			name = version + " cohort"
		}
		if out.scores[name] == nil {
			out.scores[name] = &mean{}
		}
		out.scores[name].add(v)
	}
	for ; now < n; now++ {
		s := tr.next(now)
		from, to := Day.Begin.Add(time.Duration(now)*time.Second), Day.Begin.Add(time.Duration(now+1)*time.Second)
		for _, calls := range s.calls {
			for _, c := range calls {
				if !c.End.After(from) || c.End.After(to) {
					t.Fatalf("a call of second %d ends at %s", now, c.End)
				}
				out.events++
				out.calls[c.Prompt+" "+c.Version]++
				for _, sc := range c.Scores {
					if c.Prompt == support {
						score(c.Version, c.Tier, c.Locale, sc.Value)
					}
				}
				note(c)
			}
		}
		for _, sc := range s.scores {
			if !sc.at.After(from) || sc.at.After(to) || !sc.at.After(sc.call.End) {
				t.Fatalf("a score of second %d for a call that ended at %s comes at %s", now, sc.call.End, sc.at)
			}
			out.events++
			if sc.call.Prompt == support {
				score(sc.call.Version, sc.call.Tier, sc.call.Locale, sc.Value)
			}
			note(sc)
		}
	}
	out.hash = h.Sum64()
	return out
}

func TestTrafficIsOfItsSeed(t *testing.T) {
	a, b, c := run(t, 1, 300, 100), run(t, 1, 300, 100), run(t, 2, 300, 100)
	if a.hash != b.hash {
		t.Error("the same seed makes other traffic")
	}
	if a.hash == c.hash {
		t.Error("another seed makes the same traffic")
	}
	if a.events < 300*15 || a.events > 300*35 {
		t.Errorf("%d events in 300 seconds", a.events)
	}
}

// TestBadVersionIsBadForOneCohort holds the story's premise.
func TestBadVersionIsBadForOneCohort(t *testing.T) {
	got := run(t, 1, 3600, 1800).scores
	for name, want := range map[string]float64{
		previous + " cohort": 0.91, previous + " others": 0.91, bad + " cohort": badQuality, bad + " others": 0.91,
	} {
		m := got[name]
		if m == nil || m.n < 300 {
			t.Fatalf("%s has too few scores: %+v", name, m)
		}
		// Five standard errors of a share of eight.
		if off := math.Abs(m.value() - want); off > 5*math.Sqrt(want*(1-want)/8/float64(m.n)) {
			t.Errorf("%s has %.4f over %d scores, want %.2f", name, m.value(), m.n, want)
		}
	}
}

// TestClientsCacheTheVersion: they ask the registry now and then, not all at once.
func TestClientsCacheTheVersion(t *testing.T) {
	version := previous
	tr := newTraffic(1, Day.Begin, func(string) string { return version })
	counts := func(from, to int64) (old, current int) {
		for n := from; n < to; n++ {
			for i, calls := range tr.next(n).calls {
				for _, c := range calls {
					switch {
					case i >= clients: // of another prompt
					case c.Version == previous:
						old++
					case c.Version == bad:
						current++
					}
				}
			}
		}
		return old, current
	}
	if _, current := counts(0, 600); current > 0 {
		t.Errorf("%d calls of a version that the registry does not know", current)
	}
	version = bad
	if old, current := counts(600, 660); old == 0 || current == 0 {
		t.Errorf("in the first minute %d calls of the old version and %d of the new", old, current)
	}
	counts(660, 600+ttlMax)
	if old, current := counts(600+ttlMax, 900); old > 0 || current == 0 {
		t.Errorf("when all caches have run out %d calls of the old version and %d of the new", old, current)
	}
}
