package detector

import (
	"encoding/binary"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/windows"
)

// dayMinutes is a day in panes.
const dayMinutes = 24 * 60

// learner holds the scores of a series' last one to two days, for a baseline to be sealed from: two buckets, of which the
// older is given up for the newer every 24 h of event time, but never for one of fewer scores than a baseline needs. When it turns
// is a matter of times and counts alone, so that what it holds was not chosen by looking at the scores.
type learner struct {
	began    int64 // minute of the newer bucket's first scores
	old, now evidence.Weights
}

// add takes a minute's scores into account.
func (l *learner) add(minute int64, w *evidence.Weights) {
	switch n := l.now.N(); {
	case n == 0:
		l.began = minute
	case minute-l.began >= dayMinutes && n >= evidence.BaselineN:
		l.old, l.now, l.began = l.now, evidence.Weights{}, minute
	}
	l.now.Merge(w)
}

// n is the number of scores held.
func (l *learner) n() int64 { return l.old.N() + l.now.N() }

// weights are the scores held.
func (l *learner) weights() evidence.Weights {
	w := l.old
	w.Merge(&l.now)
	return w
}

func (l *learner) save(dst []byte) []byte {
	return l.now.Append(l.old.Append(binary.AppendVarint(dst, l.began)))
}

func (l *learner) load(r *reader) {
	l.began = r.varint()
	r.weights(&l.old)
	r.weights(&l.now)
}

// weights are the inverse of Weights.Append.
func (r *reader) weights(w *evidence.Weights) {
	for j := range w {
		if w[j] = int64(r.uvarint()); w[j] < 0 || w[j] > mostWeight {
			r.bad, w[j] = true, 0
		}
	}
}

// mostWeight is more than a series gets in a lifetime.
const mostWeight = 1 << 40 * windows.WeightOne
