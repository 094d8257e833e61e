package evidence

import "github.com/driftd/driftd/windows"

// Weights are the scores of a pane, all that a bet needs of them; see windows.Weights.
type Weights = windows.Weights

const (
	steps  = windows.Steps
	one    = windows.WeightOne
	finest = one * steps
)

func knot(j int) float64 { return windows.Knot(j) }

func readWeights(r *reader, w *Weights) {
	for j := range w {
		w[j] = int64(r.uvarint())
		r.err = r.err || w[j] < 0
	}
}
