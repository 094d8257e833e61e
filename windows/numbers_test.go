package windows

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/influxdata/tdigest"
)

func TestSumRoundsOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	check := func(s Sum) {
		t.Helper()
		want := new(big.Float).SetPrec(200).SetInt64(s.hi)
		want.Add(want, new(big.Float).SetMantExp(new(big.Float).SetUint64(s.lo), -64))
		if w, _ := want.Float64(); s.Float() != w {
			t.Fatalf("%d + %d·2⁻⁶⁴ is %v, want %v", s.hi, s.lo, s.Float(), w)
		}
	}
	for _, s := range []Sum{{}, {0, 1}, {-1, math.MaxUint64}, {1<<53 + 1, 0xe << 60}, {1 << 53, 1 << 63}, {1 << 53, 1<<63 + 1}, {math.MaxInt64, math.MaxUint64}, {-1 << 62, 0}, {math.MinInt64, 0}, {math.MinInt64, 1}} {
		check(s)
	}
	for range 100_000 {
		check(Sum{int64(rng.Uint64()) >> rng.IntN(64), rng.Uint64() << rng.IntN(64)})
	}
}

func TestSumOfExtremes(t *testing.T) {
	for _, c := range []struct {
		value float64
		n     int64
		want  float64
	}{
		{MaxValue, 9_000_000, 9e18},
		{-MaxValue, 9_000_000, -9e18},
		{math.Nextafter(MaxValue, 0), 1, math.Nextafter(MaxValue, 0)},
		{math.SmallestNonzeroFloat64, 1 << 30, 0}, // below 2⁻⁶⁴ nothing is kept
		{-0x1p-64, 3, -0x3p-64},
		{math.Copysign(0, -1), 5, 0},
		{0.1, 10, 1.0000000000000000555},
	} {
		var sum Sum
		for range min(c.n, 1000) {
			sum = sum.Add(SumOf(c.value))
		}
		if got := SumOf(c.value).Times(min(c.n, 1000)); got != sum {
			t.Errorf("%v taken 1000 times is %v, added up %v", c.value, got, sum)
		}
		if got := SumOf(c.value).Times(c.n).Float(); got != c.want {
			t.Errorf("%v · %d = %v, want %v", c.value, c.n, got, c.want)
		}
	}
}

func TestMeanCodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	var values []float64
	for range 20_000 {
		v := math.Exp(rng.NormFloat64() * 20)
		if v = min(v, MaxValue); v > 1e-30 {
			values = append(values, v, -v)
		}
	}
	values = append(values, 0, MaxValue, -MaxValue)
	slices.Sort(values)
	last := uint32(0)
	for _, v := range values {
		c := meanCode(v)
		if got := meanOf(c); math.Abs(got-v) > 0.00025*math.Abs(v) {
			t.Fatalf("%v comes back as %v", v, got)
		}
		if c < last {
			t.Fatalf("the code of %v is below that of a smaller value", v)
		}
		last = c
	}
}

// Ranks of percentages must not slip by the last digit of a float: 55 % of 100 is 55.
func TestNearestRankOfEveryPercentage(t *testing.T) {
	step := int64(1)
	if testing.Short() {
		step = 13
	}
	for n := int64(1); n <= 1000; n += step {
		d := dist{exact: true}
		for i := range min(n, tableLimit-1) {
			d.pts = append(d.pts, tdigest.Centroid{Mean: float64(i + 1), Weight: 1})
		}
		if n >= tableLimit {
			d.pts = append(d.pts, tdigest.Centroid{Mean: float64(n), Weight: float64(n - tableLimit + 1)})
		}
		for permille := int64(0); permille <= 1000; permille++ {
			rank := max(1, (permille*n+999)/1000)
			want := float64(rank)
			if rank >= tableLimit {
				want = float64(n)
			}
			if got := d.quantile(float64(permille)/1000, 1, float64(n)); got != want {
				t.Fatalf("p%v of %d values is number %v, want %v", float64(permille)/10, n, got, want)
			}
		}
	}
}

// Zero has one sign, or a record would say -0 or 0 as cells happen to lie.
func TestNoMinusZero(t *testing.T) {
	s, f := NewStore(Options{Dimensions: testDimensions}), newFeed()
	v := s.SetViews([]ViewSpec{{Metric: Latency, Window: time.Hour, Quantiles: true}})[0]
	at, minus := int64(1_760_000_400)*1e9, math.Copysign(0, -1)
	advance(t, s, f.batch(Source{}, at, at+minuteNanos,
		event{time: at, prompt: "p", version: "v", latency: minus},
		event{time: at, prompt: "p", version: "v", latency: minus, dims: [2]string{"pro"}},
		event{time: at, prompt: "p", version: "v", latency: 0, dims: [2]string{"pro"}},
	))
	g := v.Groups()[0]
	for name, x := range map[string]float64{"min": g.Min(), "max": g.Max(), "median": g.Quantile(0.5), "sum": g.Sum(), "mean": g.Mean()} {
		if x != 0 || math.Signbit(x) {
			t.Errorf("%s is %v", name, x)
		}
	}
}

// A quantile is the same to the last bit in whatever order the points come, for cells lie in another order after a restart.
func TestQuantileDoesNotDependOnOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	var g digester
	for range 20_000 {
		pts := make(tdigest.CentroidList, 1+rng.IntN(60))
		for i := range pts {
			pts[i] = tdigest.Centroid{Mean: float64(rng.IntN(40)-5) / 8, Weight: float64(1 + rng.IntN(3))}
		}
		exact, q := rng.IntN(2) == 0, float64(rng.IntN(101))/100
		sorted := dist{exact: exact, pts: slices.Clone(pts)}
		g.order(&sorted)
		lo, hi := sorted.pts[0].Mean-1, sorted.pts[len(sorted.pts)-1].Mean+1
		want := sorted.quantile(q, lo, hi)
		for range 3 {
			runs := dist{exact: exact, pts: slices.Clone(pts)}
			for from := 0; from < len(pts); { // few runs or many
				to := min(from+1+rng.IntN(len(pts)), len(pts))
				slices.SortFunc(runs.pts[from:to], func(a, b tdigest.Centroid) int { return cmp.Compare(a.Mean, b.Mean) })
				from = to
			}
			if got := g.quantile(&runs, q, lo, hi); got != want {
				t.Fatalf("q%v of %v, exact %v: %v, in order %v", q, pts, exact, got, want)
			}
			rng.Shuffle(len(pts), func(i, j int) { pts[i], pts[j] = pts[j], pts[i] })
		}
	}
}
