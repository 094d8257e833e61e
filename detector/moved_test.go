package detector

import (
	"encoding/binary"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/driftd/driftd/windows"
)

func moments(values ...float64) (m windows.Moments) {
	for _, v := range values {
		m = plus(m, windows.Moments{N: 1, Sum: v, Squares: v * v})
	}
	return m
}

func draw(r *rand.Rand, n int, mean, sd float64) (m windows.Moments) {
	for range n {
		v := mean + sd*r.NormFloat64()
		m = plus(m, windows.Moments{N: 1, Sum: v, Squares: v * v})
	}
	return m
}

// What the rows did and what the mix did is all that happened.
func TestMoveAddsUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		rows := make([]row, 1+r.IntN(8))
		for i := range rows {
			rows[i] = row{before: draw(r, r.IntN(9), r.Float64(), 0.1), after: draw(r, r.IntN(9), r.Float64(), 0.1)}
		}
		m := moveOf(rows)
		if m.before.N == 0 || m.after.N == 0 {
			continue
		}
		if got, want := m.rate+m.mix, meanOf(m.after)-meanOf(m.before); math.Abs(got-want) > 1e-9 {
			t.Fatalf("rate %g and mix %g make %g, want %g: %+v", m.rate, m.mix, got, want, rows)
		}
		slices.Reverse(rows)
		if back := moveOf(rows); math.Abs(back.rate-m.rate) > 1e-9 || math.Abs(back.se-m.se) > 1e-9 {
			t.Fatalf("in another order %+v, was %+v", back, m)
		}
	}
}

// By hand: two cohorts that stay what they are and change places are all mix, two that fall alike none.
func TestMoveByHand(t *testing.T) {
	rows := []row{
		{before: moments(1, 1, 1), after: moments(1)},
		{before: moments(0), after: moments(0, 0, 0)},
	}
	if m := moveOf(rows); m.rate != 0 || m.mix != -0.5 {
		t.Errorf("places changed: %+v", m)
	}
	rows = []row{
		{before: moments(1, 0.8), after: moments(0.8, 0.6)},
		{before: moments(0.5, 0.3), after: moments(0.3, 0.1)},
	}
	if m := moveOf(rows); math.Abs(m.rate+0.2) > 1e-12 || math.Abs(m.mix) > 1e-12 {
		t.Errorf("all fell by 0.2: %+v", m)
	}
	rows = append(rows, row{after: moments(0.1, 0.1)}) // a cohort that comes is mix, however bad
	if m := moveOf(rows); m.rate >= 0 || m.rate < -0.2 || m.mix >= 0 {
		t.Errorf("a third one came: %+v", m)
	}
}

// Of moves by chance alone hardly any is taken for one, and hardly any standing version is taken to have moved.
func TestMotionErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const runs = 3000
	var falsely, wrongly, seen int
	effect := move{before: windows.Moments{N: 500, Sum: 450, Squares: 420}, after: windows.Moments{N: 500, Sum: 390, Squares: 320}, rate: -0.12, se: 0.01}
	for range runs {
		still := moveOf([]row{{before: draw(r, 300, 0.9, 0.15), after: draw(r, 60, 0.9, 0.15)}})
		if still.real(-1) {
			falsely++
		}
		if still.beside(&effect, false) == moved {
			wrongly++
		}
		fallen := moveOf([]row{{before: draw(r, 300, 0.9, 0.15), after: draw(r, 60, 0.78, 0.15)}})
		switch fallen.beside(&effect, false) {
		case moved:
			seen++
		case stood:
			wrongly++
		}
	}
	// 3 standard errors on one side are 0.13 %.
	if falsely > runs/200 || wrongly > runs/200 {
		t.Errorf("of %d, %d move by chance and %d are taken for the other", runs, falsely, wrongly)
	}
	if seen < runs*9/10 {
		t.Errorf("of %d that fell as much, %d are seen", runs, seen)
	}
}

var twoDims = []string{"tier", "locale"}

// grid are rows of three tiers and three locales with n values each, less in one cohort by drop.
func grid(r *rand.Rand, n int, drop float64, in func(tier, locale string) bool) (rows []row) {
	for _, tier := range []string{"enterprise", "free", "pro"} {
		for _, locale := range []string{"de", "en", "fr"} {
			mean := 0.9
			if in(tier, locale) {
				mean -= drop
			}
			rows = append(rows, row{dims: []string{tier, locale}, before: draw(r, 4*n, 0.9, 0.12), after: draw(r, n, mean, 0.12)})
		}
	}
	return rows
}

func TestPortions(t *testing.T) {
	const runs = 300
	f := func(name string, n int, drop float64, in func(tier, locale string) bool, right func([]portion) bool, least float64) {
		t.Helper()
		r := rand.New(rand.NewPCG(5, uint64(n)))
		ok := 0
		var miss []portion
		for range runs {
			found := portions(twoDims, grid(r, n, drop, in), -1, nil)
			for _, p := range found {
				if !(p.share >= 0 && p.share <= 1 && p.traffic >= 0 && p.traffic <= 1+1e-9) {
					t.Fatalf("%s: %+v", name, p)
				}
			}
			if right(found) {
				ok++
			} else {
				miss = found
			}
		}
		if float64(ok) < least*runs {
			t.Errorf("%s: right in %d of %d runs, such as %+v", name, ok, runs, miss)
		}
	}
	one := func(cohort map[string]string) func([]portion) bool {
		return func(found []portion) bool {
			return len(found) > 0 && found[0].explains() && maps.Equal(found[0].cohort, cohort)
		}
	}
	cell := func(tier, locale string) bool { return tier == "enterprise" && locale == "de" }
	f("one cell", 60, 0.3, cell, one(map[string]string{"tier": "enterprise", "locale": "de"}), 0.97)
	f("one cell, much data", 600, 0.1, cell, one(map[string]string{"tier": "enterprise", "locale": "de"}), 0.97)
	f("one tier", 60, 0.2, func(tier, _ string) bool { return tier == "free" }, one(map[string]string{"tier": "free"}), 0.95)
	f("one locale", 200, 0.1, func(_, locale string) bool { return locale == "fr" }, one(map[string]string{"locale": "fr"}), 0.95)
	f("all alike", 60, 0.15, func(string, string) bool { return true }, func(found []portion) bool { return len(found) == 0 || !found[0].explains() }, 0.995)
	f("all alike, little data", 8, 0.2, func(string, string) bool { return true }, func(found []portion) bool { return len(found) == 0 || !found[0].explains() }, 0.98)
	f("none", 60, 0, cell, func(found []portion) bool { return len(found) == 0 }, 0.95)
	f("two cells that share nothing", 200, 0.3, func(tier, locale string) bool {
		return tier == "enterprise" && locale == "de" || tier == "free" && locale == "fr"
	}, func(found []portion) bool {
		return len(found) == 2 && !found[0].explains() && found[0].share+found[1].share > 0.9
	}, 0.95)
}

// Whatever moments come, no fact holds a number that is none.
func FuzzFacts(f *testing.F) {
	f.Add([]byte{1, 2, 3}, true)
	f.Add(slices.Repeat([]byte{0xff}, 96), false)
	f.Fuzz(func(t *testing.T, data []byte, relative bool) {
		var rows []row
		next := func() windows.Moments {
			var m windows.Moments
			if len(data) >= 17 {
				m = windows.Moments{N: int64(data[0]), Sum: math.Float64frombits(binary.LittleEndian.Uint64(data[1:])), Squares: math.Float64frombits(binary.LittleEndian.Uint64(data[9:]))}
				data = data[17:]
			}
			if m.N == 0 || !finite(m.Sum) || !finite(m.Squares) || math.Abs(m.Sum) > 1e15 || math.Abs(m.Squares) > 1e30 { // beyond what windows keep
				m = windows.Moments{}
			}
			return m
		}
		for i := range 4 {
			rows = append(rows, row{dims: []string{string(rune('a' + i%2)), string(rune('a' + i/2))}, before: next(), after: next()})
		}
		holdsNumbers(t, rows, relative)
	})
}

func holdsNumbers(t *testing.T, rows []row, relative bool) {
	t.Helper()
	for _, direction := range []float64{-1, 1} {
		for _, p := range portions(twoDims, rows, direction, map[string]string{"tier": "a"}) {
			if !(p.share >= 0 && p.share <= 1) || !finite(p.traffic) {
				t.Fatalf("%+v", p)
			}
		}
		m := moveOf(rows)
		if !m.thin() {
			m.beside(&m, relative)
		}
		for bits := range 1 << 4 {
			q := inquiry{engine: &engine{dims: twoDims}, rec: &Record{Prompt: "p", Version: "v2"}, direction: direction, rows: rows, effect: m,
				found: portions(twoDims, rows, direction, nil), before: sided{version: "v1"}, scope: map[string]string{"tier": "a"}}
			q.clues = clues{real: m.real(direction), mix: bits&1 != 0, began: bits&2 != 0, beside: bits&4 != 0, within: bits&8 != 0}
			for i := range rows {
				o := other{version: "v3", move: moveOf(rows[i : i+1])}
				o.motion = o.move.beside(&m, relative)
				q.versions, q.prompts = append(q.versions, o), append(q.prompts, o)
			}
			for _, fact := range q.because() {
				if fact == "" || strings.Contains(fact, "NaN") || strings.Contains(fact, "Inf") || strings.Contains(fact, "no data") || strings.Contains(fact, "%!") {
					t.Fatalf("%q of %+v", fact, rows)
				}
			}
		}
		if m.real(direction) && (m.thin() || !finite(meanOf(m.before)) || !finite(meanOf(m.after))) {
			t.Fatalf("%+v is real", m)
		}
	}
}

// TestPortionsByChance: a cohort that fell further than the others is told once there are enough values to know that it did.
func TestPortionsByChance(t *testing.T) {
	moments := func(n int64, mean float64) windows.Moments {
		return windows.Moments{N: n, Sum: float64(n) * mean, Squares: float64(n) * (mean*mean + 0.09*0.09)}
	}
	for _, c := range []struct {
		n    int64
		told int
	}{{10, 0}, {400, 1}} {
		var rows []row
		for _, tier := range []string{"free", "enterprise"} {
			for _, locale := range []string{"de", "en", "fr"} {
				to := 0.845
				if locale == "fr" {
					to = 0.8
				}
				rows = append(rows, row{dims: []string{tier, locale}, before: moments(600, 0.9), after: moments(c.n, to)})
			}
		}
		if found := portions([]string{"tier", "locale"}, rows, -1, nil); len(found) != c.told {
			t.Errorf("%d values in each cohort: told of %d cohorts, want %d", c.n, len(found), c.told)
		}
	}
}
