package windows

import (
	"math"

	"github.com/influxdata/tdigest"
)

// compress makes about so many centroids of points in ascending order, in their place. It is the merging t-digest of Dunning and Ertl
// (arXiv 1902.04023) with the scale function k₁, as the tdigest package has it, without its sorting. As there, points are taken so many
// at a time: those that are taken together once are not merged again so easily, and more centroids stay than of all in one go.
func compress(pts tdigest.CentroidList, compression float64) tdigest.CentroidList {
	if len(pts) <= int(compression) {
		return pts
	}
	most, made := 8*int(math.Ceil(compression))+1, 0
	for from := 0; from < len(pts); {
		n := copy(pts[made:], pts[from:min(from+most, len(pts))])
		from += n
		made = compressSome(pts[:made+n], compression)
	}
	return pts[:made]
}

// compressSome does so with all points at once, and returns how many centroids it made.
func compressSome(pts tdigest.CentroidList, compression float64) (made int) {
	total := 0.0
	for i := range pts {
		total += pts[i].Weight
	}
	if !(total > 0) {
		return 0
	}
	last, sofar := 0, pts[0].Weight
	sin, cos := math.Sincos(math.Pi / compression)
	limit := total * (1 - cos) / 2
	for _, p := range pts[1:] {
		if sofar+p.Weight <= limit {
			sofar += p.Weight
			into := &pts[last]
			if into.Weight += p.Weight; p.Weight > 0 {
				into.Mean += p.Weight * (p.Mean - into.Mean) / into.Weight
			}
			continue
		}
		// One step of the scale further: sin(x + π/δ), where sin x is y; beyond its end there is none.
		limit = total
		if y := 2*sofar/total - 1; y < cos {
			limit = total * (y*cos + math.Sqrt(1-y*y)*sin + 1) / 2
		}
		sofar += p.Weight
		last++
		pts[last] = p
	}
	return last + 1
}
