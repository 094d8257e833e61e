package detector

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/influxdata/tdigest"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

var distances = []rules.Distance{rules.Wasserstein, rules.KS, rules.PSI, rules.JensenShannon}

// points are exact ones of value, count, value, count, …
func points(pairs ...float64) (out []windows.Bin) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, windows.Bin{Value: pairs[i], Count: pairs[i+1], Exact: true})
	}
	return out
}

// pointsOf are the exact points of values.
func pointsOf(values []float64) (out []windows.Bin) {
	for _, v := range slices.Sorted(slices.Values(values)) {
		if n := len(out); n > 0 && out[n-1].Value == v {
			out[n-1].Count++
		} else {
			out = append(out, windows.Bin{Value: v, Count: 1, Exact: true})
		}
	}
	return out
}

func TestDistances(t *testing.T) {
	for _, c := range []struct {
		name              string
		x, y              []windows.Bin
		w1, ks, psi, bits float64
	}{
		{"the same", points(0, 2, 1, 8), points(0, 2, 1, 8), 0, 0, 0, 0},
		{"of another size", points(0, 2, 1, 8), points(0, 200, 1, 800), 0, 0, 0, 0},
		// p = (.8, .2), q = (.5, .5), m = (.65, .35).
		{"0 and 1", points(0, 8, 1, 2), points(0, 5, 1, 5), 0.3, 0.3, 0.3*math.Log(1.6) + 0.3*math.Log(2.5), 0.0731043},
		// All mass moves by 2; bins (−∞,3), [3], (3,∞) with p = (1, ε, 0), q = (ε, 1, 0).
		{"one value and another", points(1, 10), points(3, 5), 2, 1, 2 * 0.9999 * math.Log(1e4), 1},
		// Half of it moves from 1 to 2: gaps (1,2) and [2] differ.
		{"a half moves", points(0, 1, 1, 1), points(0, 1, 2, 1), 0.5, 0.5, 2 * 0.4999 * math.Log(5e3), 0.5},
		{"stars", points(1, 1, 2, 1, 3, 2, 4, 3, 5, 3), points(1, 0.5, 2, 0.5, 3, 1, 4, 3, 5, 5), 0.55, 0.2,
			0.2*math.Log(2) + 0.2*math.Log(5./3), 0.0427376},
		// p = (.5, .1, .4), q = (.5, 0, .5).
		{"a new value between the others", points(1, 5, 2, 1, 3, 4), points(1, 5, 3, 5), 0.1, 0.1,
			(0.1-1e-4)*math.Log(0.1/1e-4) + 0.1*math.Log(0.5/0.4), 0.05 + 0.2*math.Log2(0.8/0.9) + 0.25*math.Log2(1/0.9)},
	} {
		for i, want := range []float64{c.w1, c.ks, c.psi, c.bits} {
			if got := distance(distances[i], c.x, c.y); math.Abs(got-want) > 1e-6 {
				t.Errorf("%s: %s %v, want %v", c.name, distances[i], got, want)
			}
		}
	}
	for _, d := range distances {
		for _, c := range [][2][]windows.Bin{{nil, nil}, {points(1, 1), nil}, {nil, points(1, 1)}} {
			if got := distance(d, c[0], c[1]); !math.IsNaN(got) {
				t.Errorf("%s of nothing: %v", d, got)
			}
		}
	}
}

// TestDistancesByBruteForce holds the distances against their definitions on the samples themselves.
func TestDistancesByBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 20 + rng.IntN(200)
		steps := []float64{0, 10, 100, 1000}[rng.IntN(4)] // of the values; 0: they are all different
		draw := func(shift float64) []float64 {
			out := make([]float64, n)
			for i := range out {
				v := rng.NormFloat64() + shift
				if steps > 0 {
					v = math.Round(v*steps) / steps
				}
				out[i] = v
			}
			slices.Sort(out)
			return out
		}
		x, y := draw(rng.Float64()), draw(0)
		under := func(values []float64, v float64) float64 { // share of values ≤ v
			n := 0
			for _, o := range values {
				if o <= v {
					n++
				}
			}
			return float64(n) / float64(len(values))
		}
		w1, ks := 0.0, 0.0
		for i := range x {
			w1 += math.Abs(x[i]-y[i]) / float64(n) // of equally many, the i-th goes to the i-th
		}
		for _, v := range append(slices.Clone(x), y...) {
			ks = max(ks, math.Abs(under(x, v)-under(y, v)))
		}
		var edges []float64
		for i := 1; i < 10; i++ {
			if e := y[int(math.Ceil(float64(i)/10*float64(n)-1e-9))-1]; len(edges) == 0 || e != edges[len(edges)-1] {
				edges = append(edges, e)
			}
		}
		psi, bits, fp, fq := 0.0, 0.0, 0.0, 0.0
		for i := range len(edges) + 1 {
			gp, gq := 1.0, 1.0
			if i < len(edges) {
				gp, gq = under(x, edges[i]), under(y, edges[i])
			}
			p, q := gp-fp, gq-fq
			fp, fq = gp, gq
			if p > 1e-12 || q > 1e-12 {
				a, b := max(p, 1e-4), max(q, 1e-4)
				psi += (a - b) * math.Log(a/b)
			}
			for _, s := range []float64{p, q} {
				if s > 1e-12 {
					bits += s / 2 * math.Log2(2*s/(p+q))
				}
			}
		}
		px, py := pointsOf(x), pointsOf(y)
		if len(py) <= psiBins {
			continue // then each value is a bin: by the table above
		}
		for i, want := range []float64{w1, ks, psi, bits} {
			if got := distance(distances[i], px, py); math.Abs(got-want) > 1e-9 {
				t.Errorf("%d values, %v steps: %s %v, want %v", n, steps, distances[i], got, want)
			}
		}
	}
}

// TestDistancesOfDigests holds that a digest of the values is as good as they are, up to what a rule may ask for.
func TestDistancesOfDigests(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	digested := func(values []float64) (out []windows.Bin) {
		d := tdigest.NewWithCompression(50)
		for _, v := range values {
			d.Add(v, 1)
		}
		for _, c := range d.Centroids(nil) {
			out = append(out, windows.Bin{Value: c.Mean, Count: c.Weight})
		}
		return out
	}
	rounds := 10
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		draw := func(n int, mu, sigma float64) []float64 {
			out := make([]float64, n)
			for i := range out {
				out[i] = math.Exp(mu + sigma*rng.NormFloat64())
			}
			return out
		}
		x, y := draw(600, 0.3*rng.Float64(), 0.5), draw(20000, 0, 0.5)
		for i, slack := range []float64{0.03, 0.03, 0.05, 0.01} {
			want, got := distance(distances[i], pointsOf(x), pointsOf(y)), distance(distances[i], digested(x), digested(y))
			if math.Abs(got-want) > slack {
				t.Errorf("%s of digests %.3f, of the values %.3f", distances[i], got, want)
			}
			if got := distance(distances[i], digested(y), digested(y)); got != 0 {
				t.Errorf("%s of a digest to itself %v", distances[i], got)
			}
			if got := distance(distances[i], digested(y), pointsOf(y)); got > slack {
				t.Errorf("%s of a digest to its values %v", distances[i], got)
			}
		}
	}
}

func FuzzDistance(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, uint8(3), false)
	f.Add([]byte{0, 0, 1, 0, 0, 0, 1, 0, 255, 255, 1, 0}, uint8(1), true)
	f.Fuzz(func(t *testing.T, raw []byte, at uint8, digest bool) {
		var all []windows.Bin
		for ; len(raw) >= 4; raw = raw[4:] {
			v := math.Ldexp(float64(int16(binary.LittleEndian.Uint16(raw))), int(raw[2]%50)-25)
			all = append(all, windows.Bin{Value: v, Count: float64(raw[3]) + 1, Exact: !digest})
		}
		if len(all) < 2 {
			return
		}
		order := func(p []windows.Bin) []windows.Bin {
			slices.SortStableFunc(p, func(a, b windows.Bin) int {
				if a.Value < b.Value {
					return -1
				} else if a.Value > b.Value {
					return 1
				}
				return 0
			})
			if digest {
				return p
			}
			return slices.CompactFunc(p, func(a, b windows.Bin) bool { return a.Value == b.Value })
		}
		n := 1 + int(at)%(len(all)-1)
		x, y := order(slices.Clone(all[:n])), order(slices.Clone(all[n:]))
		width := max(x[len(x)-1].Value, y[len(y)-1].Value) - min(x[0].Value, y[0].Value)
		for i, most := range []float64{width * (1 + 1e-12), 1, 2 * float64(2*psiBins+1) * math.Log(1e4), 1} {
			d, back := distance(distances[i], x, y), distance(distances[i], y, x)
			if !(d >= 0 && d <= most) || !(back >= 0 && back <= most) {
				t.Errorf("%s %v and %v back of %v and %v, want within [0, %v]", distances[i], d, back, x, y, most)
			}
			if (distances[i] == rules.Wasserstein || distances[i] == rules.KS) && math.Abs(d-back) > 1e-12*max(1, most) {
				t.Errorf("%s %v, but %v the other way round, of %v and %v", distances[i], d, back, x, y)
			}
			if self := distance(distances[i], x, x); self != 0 {
				t.Errorf("%s of %v to itself: %v", distances[i], x, self)
			}
		}
	})
}
