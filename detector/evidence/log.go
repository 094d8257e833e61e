package evidence

import "math"

// lnBelow is at most ln z, and no more than 2·10⁻⁷ below it, for z > 0 that is neither endless nor subnormal. It takes a
// fifth of the time of math.Log. A wealth reckoned with it is at most the true one, so that it may stand for ln wherever evidence
// is added up.
//
// With z = 2^e·u and the largest c = 1 + i/128 ≤ u it is e·ln 2 + ln c + r − r²/2, r = u/c − 1 ∈ [0, 1/128), and ln(1+r) is at
// least that for r ≥ 0.
func lnBelow(z float64) float64 {
	b := math.Float64bits(z)
	c := &logCells[b>>45&127]
	r := math.Float64frombits(b&(1<<52-1)|1023<<52)*c.inverse - 1
	return float64(int(b>>52)-1023)*math.Ln2 + (c.log + (r - 0.5*r*r))
}

type logCell struct{ inverse, log float64 }

var logCells = func() (cells [128]logCell) {
	for i := range cells {
		c := 1 + float64(i)/128
		cells[i] = logCell{1 / c, math.Log(c)}
	}
	return cells
}()
