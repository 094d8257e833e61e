package detector

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/driftd/driftd/detector/evidence"
)

const (
	stretchScores  = 30 // at least, in a stretch, of each side
	stretchMinutes = 15
	stretchErrors  = 2.5        // standard errors that are taken for sure
	stretchMost    = dayMinutes // after which it is judged anyhow
	silence        = 60         // minutes without scores, after which there is no data; of a sparse series more
	silentGaps     = 10         // usual gaps between two scores, of a series that is sparse
	silenceMost    = 2 * dayMinutes
)

// stretch are the scores since an alert fires, cut into stretches: the series is back when the mean of a whole one is, and is bad
// again when the next one is. It is back within half of what the rule calls a change, and surely by less than that whole, and by less
// than half of what was told; bad when it is surely not within the half. Until then a stretch goes on, so that chance ends no alert whose cause is still there: few
// scores that swing say little. Unlike a window, it begins behind what made the alert fire.
type stretch struct {
	from     int64 // first minute
	n, refN  int64
	sum, ref float64 // of the scores, and of what they are compared with
	squares  float64 // sum of the scores' squares
	compared int64   // minute of the newest of both
	patience int64   // minutes without scores, after which there is no data; 0 is silence

	done, back bool // there has been a whole one, and it was good
	value      float64
	samples    int64 // of it
}

// add takes a minute into account: scores, and as many means or other scores that they are compared with.
func (t *stretch) add(minute int64, w *evidence.Weights, refN int64, ref float64) {
	if n := w.N(); n > 0 {
		mean := w.Mean()
		t.n, t.sum, t.squares = t.n+n, t.sum+w.Sum(), t.squares+float64(n)*(w.Variance()+mean*mean)
	}
	t.refN, t.ref = t.refN+refN, t.ref+ref
	if refN > 0 {
		t.compared = minute
	}
}

// patienceOf is after how many minutes a series has no data that had n scores in so many minutes.
func patienceOf(minutes, n int64) int64 {
	return min(max(silentGaps*minutes/max(n, 1), silence), silenceMost)
}

// recover moves the alerts that fire.
func (k *sequential) recover(e *engine) {
	k.firing = slices.DeleteFunc(k.firing, func(s *series) bool {
		a, t := s.alert, &s.stretch
		if t.from == 0 { // an alert that is known from its records
			t.from = k.minute + 1
		}
		if s.last < 0 {
			s.last = k.minute
		}
		v := k.close(s)
		v.side = k.worse
		switch silent := k.minute - s.last; {
		case silent >= max(t.patience, silence):
			v.side, v.reason, v.samples = neither, reasonNoScores, 0
		case k.Canary != nil && k.minute-max(t.compared, t.from) >= max(t.patience, silence):
			v.side, v.reason, v.samples = neither, reasonNoReference, 0
		case t.back:
			v.side = neither
		}
		if v.side == neither {
			end := a.last
			end.side, end.reason, end.samples, end.worse = neither, v.reason, v.samples, false
			end.value, end.low, end.high = math.NaN(), math.NaN(), math.NaN()
			if end.reason == "" {
				end.value = t.value
			}
			v = end
		}
		if s.alert = e.step(k.rule, a, s.subject, &v, k.exemplars(s)); s.alert != nil {
			return false
		}
		s.stretch = stretch{}
		if s.watched {
			k.start(s)
		}
		return true
	})
}

// close ends the stretch where it is long enough, and judges it. It gives the verdict of the alert's newest step, or, where the stretch shows
// that it has become clearly worse than that, its own.
func (k *sequential) close(s *series) (v verdict) {
	t := &s.stretch
	v = s.alert.last
	v.worse, v.reason, v.samples = false, "", t.samples
	if t.n < stretchScores || t.refN < stretchScores || k.minute+1-t.from < stretchMinutes {
		return v
	}
	reference, mean := t.ref/float64(t.refN), t.sum/float64(t.n)
	by := k.by(reference)
	limit := reference - by/2
	if x := k.Exceed; x != nil { // a share that is allowed is well, and one twice as great is what counts as a change
		by, limit = min(x.Share, 1-x.Share), reference
	}
	half := reference - by
	if told := k.unit.score(s.alert.last.value); told < reference {
		half = min(max(half, (told+reference)/2), limit)
	}
	se := t.error(k.Canary != nil)
	err := stretchErrors * se
	back := mean >= limit && mean >= half+err
	if !back && mean > limit-err && k.minute+1-t.from < stretchMost {
		return v
	}
	*t = stretch{
		from: k.minute + 1, compared: t.compared, patience: t.patience, done: true, samples: t.n, value: k.unit.value(mean), back: back || mean >= limit,
	}
	v.samples = t.samples
	now := v
	now.side, now.value, now.reference = k.worse, t.value, k.unit.value(reference)
	now.bound += now.reference - v.reference // what it is compared with has moved as well
	if now.worse = now.clearlyWorse(&v, err*(k.unit.max-k.unit.min)) && v.outside(now.value); now.worse {
		now.low, now.high = k.unit.value(max(mean-normal95*se, 0)), k.unit.value(min(mean+normal95*se, 1))
		if now.low > now.high {
			now.low, now.high = now.high, now.low
		}
		return now
	}
	return v
}

// normal95 is how many standard errors a 95 % interval reaches to either side.
const normal95 = 1.96

// error is the standard error of the mean. Two scores of 0 and two of 1 are thought in, as in evidence.EffectOf: a few that are all
// alike prove nothing. Where what they are compared with are scores too, those are taken to vary as much.
func (t *stretch) error(both bool) float64 {
	n := float64(t.n) + 4
	centre := (t.sum + 2) / n
	variance := max(0, (t.squares+2)/n-centre*centre) / n
	if both {
		variance *= 1 + n/float64(t.refN)
	}
	return math.Sqrt(variance)
}

func (t *stretch) save(dst []byte) []byte {
	state := byte(0)
	if t.done {
		state |= 1
	}
	if t.back {
		state |= 2
	}
	dst = append(dst, state)
	dst = appendInts(dst, t.from, t.n, t.refN, t.compared, t.patience, t.samples)
	return appendFloats(dst, t.sum, t.ref, t.squares, t.value)
}

func (t *stretch) load(r *reader) {
	state := r.fixed(1)[0]
	t.done, t.back = state&1 != 0, state&2 != 0
	t.from, t.n, t.refN, t.compared, t.patience, t.samples = r.varint(), r.varint(), r.varint(), r.varint(), r.varint(), r.varint()
	t.sum, t.ref, t.squares, t.value = r.float(), r.float(), r.float(), r.float()
	r.bad = r.bad || state > 3 || t.n < 0 || t.refN < 0
}

func appendInts(dst []byte, values ...int64) []byte {
	for _, v := range values {
		dst = binary.AppendVarint(dst, v)
	}
	return dst
}

func appendFloats(dst []byte, values ...float64) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// float reads what appendFloats writes; what is no number is bad.
func (r *reader) float() float64 {
	v := math.Float64frombits(r.fixed64())
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.bad = true
		return 0
	}
	return v
}
