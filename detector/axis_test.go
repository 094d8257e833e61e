package detector

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// minutes feeds an axis from a text: words are minutes, such as a:20,b:1; 60×a:20 is an hour of the same and 30×- are half an
// hour without calls. It gives the changes, each with the minute in which it began and the one that confirmed it.
func minutes(t *testing.T, a *axis, from int, text string) (changes []string, now int) {
	t.Helper()
	now = from
	for _, word := range strings.Fields(text) {
		times := 1
		if n, rest, ok := strings.Cut(word, "×"); ok {
			times, _ = strconv.Atoi(n)
			word = rest
		}
		var counts []count
		for _, part := range strings.Split(word, ",") {
			if name, n, ok := strings.Cut(part, ":"); ok {
				calls, err := strconv.ParseInt(n, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				counts = append(counts, count{name, calls})
			}
		}
		slices.SortFunc(counts, func(a, b count) int { return cmp.Compare(a.name, b.name) })
		for range times {
			now++
			// Saved and loaded at each step: what is not saved does not count.
			b := axis{}
			r := reader{rest: a.save(nil)}
			if b.load(&r); r.bad || len(r.rest) > 0 || !bytes.Equal(b.save(nil), a.save(nil)) {
				t.Fatalf("minute %d: saved and loaded the axis is another", now)
			}
			*a = b
			for _, x := range a.add(minuteEnd(now), counts) {
				changes = append(changes, fmt.Sprintf("%s→%s %d@%d", x.from, x.to, int(x.first.Sub(scriptStart)/time.Minute), now))
			}
		}
	}
	return changes, now
}

func minuteEnd(m int) time.Time { return scriptStart.Add(time.Duration(m) * time.Minute) }

func TestAxis(t *testing.T) {
	for _, c := range []struct{ name, minutes, want string }{
		{"nothing", "", ""},
		{"one value", "100×a:20", ""},
		{"swapped", "60×a:20 5×b:20", "a→b 61@61"},
		{"swapped within a minute", "60×a:20 a:12,b:8 5×b:20", "a→b 61@61"},
		{"swapped within a busy minute", "60×a:5000 a:4990,b:10 5×b:5000", "a→b 61@62"},
		{"one call a minute", "60×a:1 10×b:1", "a→b 61@65"},
		{"one call an hour", "10×a:1 59×- 59×- 59×- b:1 59×- b:1 59×- b:1 59×- b:1 59×- b:1", "a→b 188@428"},
		{"a stray", "60×a:20 a:20,b:1 100×a:20", ""},
		{"four strays", "60×a:20 a:20,b:4 100×a:20", ""},
		{"strays now and then", "60×a:20 a:20,b:1 5×a:20 a:20,b:1 5×a:20 a:20,b:1 5×a:20 a:20,b:1 5×a:20 a:20,b:1 5×a:20 a:20,b:1 5×a:20", ""},
		{"a stray long before", "60×a:20 a:20,b:1 100×a:20 5×b:20", "a→b 162@163"},
		{"one in a hundred for long", "60×a:1000 600×a:990,b:10", ""},
		{"one in ten", "60×a:20 600×a:18,b:2", "a→b 61@63"},
		{"a slow deployment is one change", "60×a:20 30×a:15,b:5 30×a:10,b:10 30×a:5,b:15 60×b:20", "a→b 61@61"},
		{"and one that wavers", "60×a:20 10×a:15,b:5 10×a:20 10×a:15,b:5 10×a:20 10×a:10,b:10 10×a:15,b:5 60×b:20", "a→b 61@61"},
		{"swapped back", "60×a:20 60×b:20 60×a:20", "a→b 61@61 b→a 121@122"},
		{"and again", "60×a:20 60×b:20 60×a:20 60×b:20", "a→b 61@61 b→a 121@122 a→b 181@182"},
		{"back at one call a minute", "60×a:1 60×b:1 60×a:1", "a→b 61@65 b→a 121@156"},
		{"half of it back is none", "60×a:20 60×b:20 60×a:10,b:10", "a→b 61@61"},
		{"two from the start", "600×a:10,b:10", ""},
		{"two, the second seen later", "a:3 600×a:3,b:3", ""},
		{"two, the lesser first", "a:6 b:1 600×a:4,b:6", ""},
		{"a rare one that was there all along", "2×a:30 a:28,b:2 600×a:39,b:1", ""},
		{"two, one goes", "600×a:10,b:10 600×a:20", ""},
		{"two, a third comes", "600×a:12,b:10 10×a:10,b:10,c:2", "a→c 601@603"},
		{"two at once", "60×a:20 10×b:10,c:10", "a→b 61@61 a→c 61@61"},
		{"away for a day and back for a part", "60×a:20 60×b:20 1500×b:1 60×a:5,b:15", "a→b 61@61 b→a 1621@1621"},
		{"away for a day, but hardly a call", "60×a:20 5×b:20 1500×- 60×a:5,b:15", "a→b 61@61"},
		{"after a silent weekend", "60×a:20 3000×- 60×b:20", "a→b 3061@3061"},
		{"the first calls are few", "a:4 10×b:20", ""},
		{"the first calls are five", "a:5 10×b:20", "a→b 2@2"},
	} {
		got, _ := minutes(t, &axis{}, 0, c.minutes)
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %q, want %q", c.name, s, c.want)
		}
	}
}

// A value of its own for each call, or more of them than an axis has, is no change and takes no room.
func TestAxisCrowded(t *testing.T) {
	var a axis
	n := 0
	for m := range 3000 {
		var counts []count
		for range 10 {
			counts = append(counts, count{fmt.Sprintf("%06d", n), 1})
			n++
		}
		if got := a.add(minuteEnd(m), counts); got != nil {
			t.Fatalf("minute %d: %v", m, got)
		}
	}
	for m := 3000; m < 6000; m++ {
		var counts []count
		for i := range 30 {
			counts = append(counts, count{fmt.Sprintf("x%02d", (i*7+m)%30), 1})
		}
		slices.SortFunc(counts, func(a, b count) int { return cmp.Compare(a.name, b.name) })
		if got := a.add(minuteEnd(m), counts); got != nil {
			t.Fatalf("minute %d: %v", m, got)
		}
	}
	if len(a.values) > maxValues || len(a.race.runners) > maxValues {
		t.Errorf("%d values and %d runners, want %d at most", len(a.values), len(a.race.runners), maxValues)
	}
	// A day after the crowd is gone changes are told again.
	got, now := minutes(t, &a, 6000, "1500×z:20 60×y:20")
	if want := "z→y 7501@7501"; len(got) == 0 || got[len(got)-1] != want {
		t.Errorf("by minute %d: %v, want %s at last", now, got, want)
	}
}

// Calls that are mixed in the same way for ever are no change: of versions that two values serve from the beginning none changes,
// whatever the shares.
func TestAxisByChance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, q := range []float64{0.5, 0.4, 0.2, 0.1, 0.03, 0.01} {
		for _, each := range []int{1, 7, 300} {
			told := 0
			versions := 300
			if testing.Short() {
				versions = 20
			}
			for range versions {
				var a axis
				for m := range 6000 / (10 + each) {
					b := int64(0)
					for range each {
						if rng.Float64() < q {
							b++
						}
					}
					told += len(a.add(minuteEnd(m), []count{{"a", int64(each) - b}, {"b", b}}))
				}
			}
			if told > 0 {
				t.Errorf("share %v, %d calls a minute: %d changes of %d versions on which nothing changed", q, each, told, versions)
			}
		}
	}
}

// The holder is found again after each real change, and never changes hands by chance.
func TestRace(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		var r race
		for _, name := range []string{"a", "b", "c"} {
			r.enter(name)
		}
		overs := 0
		for m := range 2000 { // as many calls for each
			counts := []count{{"a", 0}, {"b", 0}, {"c", 0}}
			for range 20 {
				counts[rng.IntN(3)].calls++
			}
			if _, ok := r.run(minuteEnd(m), counts); ok {
				overs++
			}
		}
		if overs > 0 {
			t.Errorf("%d takeovers among equals in 40,000 calls", overs)
		}
	}
	var r race
	r.enter("a")
	r.enter("b")
	for m := range 60 {
		r.run(minuteEnd(m), []count{{"a", 12}, {"b", 8}})
	}
	for m := 60; m < 120; m++ {
		if over, ok := r.run(minuteEnd(m), []count{{"a", 8}, {"b", 12}}); ok {
			if !over.first.Equal(minuteEnd(60)) || !over.proven || over.was < 0.39 || over.was > 0.41 || over.is != 0.6 {
				t.Errorf("takeover %+v", over)
			}
		}
	}
	if r.main != "b" || len(r.runners) != 1 || r.runners[0].held.IsZero() {
		t.Errorf("race after b took over: %+v", r)
	}
}

func TestSplit(t *testing.T) {
	hour := func(a *axis, x, y int64) string {
		counts := []count{{"x", x}, {"y", y}}
		a.add(minuteEnd(1), counts)
		a.countHour(counts)
		from, to, calls, ok := a.endHour(minuteEnd(60))
		if !ok {
			return ""
		}
		return fmt.Sprintf("%s → %s, %d", from, to, calls)
	}
	var a axis
	for i, c := range []struct {
		x, y int64
		want string
	}{
		{500, 500, ""}, // the first hour
		{520, 480, ""},
		{560, 440, ""},
		{450, 550, ""},
		{200, 800, "y 49% → y 80%, 800"},
		{200, 800, ""}, // usual now
		{10, 0, ""},    // too few to tell
		{0, 0, ""},
		{1000, 0, "x 20% → x 100%, 1000"},
	} {
		if got := hour(&a, c.x, c.y); got != c.want {
			t.Errorf("hour %d: %q, want %q", i+1, got, c.want)
		}
	}
	// Once in a million is not in these 20,000 hours.
	rng := rand.New(rand.NewPCG(5, 6))
	var b axis
	for i := range 20000 {
		n := int64(rng.IntN(300))
		x := int64(0)
		for range n {
			if rng.Float64() < 0.3 {
				x++
			}
		}
		if got := hour(&b, x, n-x); got != "" {
			t.Errorf("hour %d: %s", i, got)
		}
	}
}

func TestRate(t *testing.T) {
	for _, c := range []struct{ name, minutes, want string }{ // hits/calls
		{"none", "100×0/20", ""},
		{"all at once", "60×0/20 5×20/20", "0%→100% 61@61"},
		{"within a busy minute", "60×0/5000 4/5000 5×2500/5000", "0%→50% 61@62"},
		{"one in ten", "60×0/20 30×2/20", "0%→10% 61@64"},
		{"strays", "60×0/20 1/20 60×0/20 4/20 60×0/20", ""},
		{"one in fifty, then one in five", "300×1/50 30×10/50", "2.0%→20% 301@302"},
		{"one in fifty, then one in twenty-five", "300×1/50 300×2/50", ""},
		{"from the beginning", "600×3/10", ""},
		{"and then all", "60×3/10 30×10/10", "30%→100% 61@62"},
		{"rises, goes and comes back", "600×0/20 60×10/20 60×0/20 60×10/20", "0%→50% 601@601"},
		{"a day later", "600×0/20 60×10/20 1440×0/20 60×10/20", "0%→50% 601@601 2.0%→50% 2101@2101"},
		{"one call a minute", "60×0/1 10×1/1", "0%→100% 61@66"},
	} {
		var r rate
		var got []string
		now := 0
		for _, word := range strings.Fields(c.minutes) {
			times, k, n := 1, int64(0), int64(0)
			if many, rest, ok := strings.Cut(word, "×"); ok {
				times, _ = strconv.Atoi(many)
				word = rest
			}
			if _, err := fmt.Sscanf(word, "%d/%d", &k, &n); err != nil {
				t.Fatal(err)
			}
			for range times {
				now++
				b := rate{}
				from := reader{rest: r.save(nil)}
				if b.load(&from); from.bad || b != r {
					t.Fatalf("%s: saved and loaded the rate is another", c.name)
				}
				if x, ok := b.add(minuteEnd(now), k, n); ok {
					got = append(got, fmt.Sprintf("%s→%s %d@%d", percent(x.was), percent(x.is), int(x.first.Sub(scriptStart)/time.Minute), now))
				}
				r = b
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %q, want %q", c.name, s, c.want)
		}
	}
	// A rate that stays what it is does not rise.
	rng := rand.New(rand.NewPCG(7, 8))
	for _, p := range []float64{0.001, 0.01, 0.05, 0.3} {
		for _, each := range []int{1, 10, 1000} {
			var r rate
			for m := range 1_000_000 / each {
				k := int64(0)
				for range each {
					if rng.Float64() < p {
						k++
					}
				}
				if x, ok := r.add(minuteEnd(m), k, int64(each)); ok {
					t.Errorf("rate %v, %d calls a minute, minute %d: %+v", p, each, m, x)
				}
			}
		}
	}
}

func TestPercent(t *testing.T) {
	for v, want := range map[float64]string{0: "0%", 0.0004: "0%", 0.003: "0.3%", 0.0949: "9.5%", 0.095: "10%", 0.12: "12%", 1: "100%"} {
		if got := percent(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}
