package main

import (
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/internal/recorded"
)

// TestRecorded: a change that happened is seen after few calls, and one that did not happen is not.
func TestRecorded(t *testing.T) {
	// The answers lie beside the repository, for they are not ours to pass on.
	changes, err := changed("../../"+recorded.Path, 200)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the recorded answers are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		t.Log(c.String())
	}
	if m := quantile(changes[0].delays, 0.5); m > 41 || changes[0].early > 0 {
		t.Errorf("gpt-4: alarm after a median of %g calls, %d before the change, want at most 41 and none", m, changes[0].early)
	}
	for _, v := range changes[1].delays {
		if !math.IsInf(v, 1) || changes[1].early > 0 {
			t.Fatalf("gpt-3.5: alarm after %g calls, %d before the change, want none", v, changes[1].early)
		}
	}
}

// TestStreams: the simulated scores have the means that the detectors are told.
func TestStreams(t *testing.T) {
	for _, d := range dists {
		for _, drop := range append([]float64{0}, drops[:]...) {
			r := rand.New(rand.NewPCG(3, 0))
			draw := d.at(d.mean() - drop)
			const n = 400_000
			sum, squares := 0.0, 0.0
			for range n {
				x := draw(r)
				if x < 0 || x > 1 {
					t.Fatalf("%s: %g", d.name(), x)
				}
				sum += x
				squares += x * x
			}
			mean := sum / n
			sd := math.Sqrt(squares/n - mean*mean)
			if math.Abs(mean-d.mean()+drop) > 4*sd/math.Sqrt(n) {
				t.Errorf("%s less %g: mean %g", d.name(), drop, mean)
			}
			if drop == 0 && math.Abs(sd-d.sd()) > 0.005 {
				t.Errorf("%s: standard deviation %g, want %g", d.name(), sd, d.sd())
			}
		}
	}
}

// TestLimits: what a score tells is what the formula for 0 and 1 says, and one who knows all but the time is faster than a
// detector that knows the mean.
func TestLimits(t *testing.T) {
	p, q := 0.9, 0.85
	want := q*math.Log(q/p) + (1-q)*math.Log((1-q)/(1-p))
	if got := information(coin{}, p-q); math.Abs(got-want) > 1e-4 {
		t.Errorf("information %.6f a score, want %.6f", got, want)
	}
	for _, d := range dists {
		sum := 0.0
		for _, v := range shares(d, d.mean()) {
			sum += v
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s: shares of %g in all", d.name(), sum)
		}
		const at, runs = learning + 30, 40
		var all, mean float64
		for i := range uint64(runs) {
			s := &stream{dist: d, rate: 10, null: iid, drop: drops[1], at: at, r: rand.New(rand.NewPCG(5, i))}
			methods := []method{newClairvoyant(d), &known{dist: d, sequential: sequential{budget: byDefault}}}
			took := []*float64{&all, &mean}
			for minute := learning; minute < at+day; minute++ {
				pane := s.next(minute)
				for k, m := range methods {
					if m != nil && m.pane(pane) && minute >= at {
						*took[k] += float64(minute - at + 1)
						methods[k] = nil
					}
				}
			}
		}
		t.Logf("%s: %.0f minutes, with the mean alone %.0f", d.name(), all/runs, mean/runs)
		if all >= mean || all == 0 {
			t.Errorf("%s: %.0f minutes, with the mean alone %.0f", d.name(), all/runs, mean/runs)
		}
	}
}

// TestTold: an alarm is passed over where the drop asked for is excluded.
func TestTold(t *testing.T) {
	for low, want := range map[float64]bool{-asked: true, -asked - 0.1: true, -asked + 0.001: false} {
		if got := worth(evidence.Effect{Low: low}); got != want {
			t.Errorf("from %g: told %v", low, got)
		}
	}
}

// TestPlain: each of the plain tests fires after a great drop, and not before.
func TestPlain(t *testing.T) {
	for i, k := range contenders {
		m := k.make(k, coin{})
		s := &stream{dist: coin{}, rate: 10, null: iid, drop: 0.4, at: learning + 60, r: rand.New(rand.NewPCG(4, uint64(i)))}
		before, after := 0, 0
		for minute := range s.at + 60 {
			if m.pane(s.next(minute)) {
				if minute < s.at {
					before++
				} else {
					after++
				}
			}
		}
		if before > 3 || after == 0 {
			t.Errorf("%s: fired in %d minutes before the drop, %d after", k.name, before, after)
		}
	}
}

func TestPoissonUpper(t *testing.T) {
	for k, want := range map[int]float64{0: 2.996, 1: 4.744, 5: 10.513, 20: 29.062} { // from tables
		if got := poissonUpper(k); math.Abs(got-want) > 0.002 {
			t.Errorf("%d: %.3f, want %.3f", k, got, want)
		}
	}
}
