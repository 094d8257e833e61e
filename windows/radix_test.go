package windows

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/influxdata/tdigest"
)

func byMean(pts tdigest.CentroidList) {
	slices.SortStableFunc(pts, func(a, b tdigest.Centroid) int { return cmp.Compare(a.Mean, b.Mean) })
}

// Many runs are sorted by bits, whatever the means are.
func TestOrderOfManyRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, mean := range map[string]func() float64{
		"digests":          func() float64 { return meanOf(meanCode(math.Exp(rng.NormFloat64()))) },
		"signs":            func() float64 { return meanOf(meanCode(rng.NormFloat64())) },
		"floats":           func() float64 { return math.Exp(rng.NormFloat64()) },
		"all but the same": func() float64 { return 1e9 + rng.Float64() },
		"few values":       func() float64 { return float64(rng.IntN(100)) / 10 },
	} {
		var d dist
		for range 100 {
			run := make(tdigest.CentroidList, 50)
			for i := range run {
				run[i] = tdigest.Centroid{Mean: mean(), Weight: float64(1 + rng.IntN(3))}
			}
			byMean(run)
			d.pts = append(d.pts, run...)
		}
		want := dist{pts: slices.Clone(d.pts)}
		byMean(want.pts)
		want.foldEqual()
		var g digester
		if g.order(&d); !slices.Equal(d.pts, want.pts) {
			t.Errorf("%s: %d points, want %d, or in another order", name, len(d.pts), len(want.pts))
		}
	}
}

// BenchmarkOrderTotal puts the panes of eight minutes of 209 cells in order, as a total's aggregate does.
func BenchmarkOrderTotal(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 4))
	var pts tdigest.CentroidList
	for range 8 * 209 {
		run := make(tdigest.CentroidList, 35)
		for i := range run {
			run[i] = tdigest.Centroid{Mean: meanOf(meanCode(math.Exp(rng.NormFloat64()))), Weight: 1}
		}
		byMean(run)
		pts = append(pts, run...)
	}
	var g digester
	var d dist
	for b.Loop() {
		d.pts = append(d.pts[:0], pts...)
		g.normalize(&d, aggregateCompression)
	}
}
