package evidence

import (
	"encoding/binary"
	"math"
)

// Difference compares two concurrent streams for those who want to look: at any time, as often as they like, and stop when they
// like. The difference of their means, X − Y, is in the interval at all times at once with probability 1 − α. When the
// difference changes over time it is its mean, weighted by what was staked.
//
// It is the set of all d that no bet of Pair has refuted: {d: Σ w·e^(won − stake·d) < 2/α}, from either side (Waudby-Smith,
// Ramdas, 2010.09686; for two streams as in Pair).
type Difference struct {
	pair       Pair
	below      side // evidence that X − Y is more than …
	above      side // … and less
	mirrored   Pair
	NX, NY     int64   // scores taken into account
	SumX, SumY float64 // of them
}

type side struct{ won, stake [Bets]float64 }

func (s *side) add(o *swing) {
	for k := range s.won {
		s.won[k] += o.won[k]
		s.stake[k] += o.stake[k]
	}
}

// Add takes a pane into account.
func (d *Difference) Add(x, y *Weights) {
	if s, _, ok := d.pair.add(x, y, 0); ok { // Y better
		d.above.add(&s)
	}
	if s, _, ok := d.mirrored.add(y, x, 0); ok { // X better
		d.below.add(&s)
	}
	d.NX, d.NY = d.NX+x.N(), d.NY+y.N()
	d.SumX, d.SumY = d.SumX+x.Sum(), d.SumY+y.Sum()
}

// Interval is where X − Y is, with probability 1 − alpha.
func (d *Difference) Interval(alpha float64) (low, high float64) {
	return d.below.bound(alpha, 1), -d.above.bound(alpha, 1)
}

// log is ln Σ w·e^(f·(won − stake·d)).
func (s *side) log(d, f float64) float64 {
	sum := math.Inf(-1)
	for k := range s.won {
		sum = addLogs(sum, f*(s.won[k]-s.stake[k]*d)+math.Log(weight[k]))
	}
	return sum
}

// bound is the least d that is not refuted after f times as much of the same.
func (s *side) bound(alpha, f float64) float64 {
	limit := math.Log(2 / alpha)
	if s.log(-1, f) < limit {
		return -1
	}
	low, high := -1.0, 1.0
	for high-low > 1e-6 {
		if mid := (low + high) / 2; s.log(mid, f) < limit {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}

// Verdict on a Difference.
type Verdict int

const (
	Undecided Verdict = iota
	Better            // X is
	Worse
)

// Decide tells whether X is better or worse than Y at confidence 1 − alpha. While it is undecided, more is about how many more
// scores of both sides together it takes if all goes on as before; 0 when there is no telling, as when the two are equal so
// far.
func (d *Difference) Decide(alpha float64) (v Verdict, more int64) {
	limit := math.Log(2 / alpha)
	switch {
	case d.below.log(0, 1) >= limit:
		return Better, 0
	case d.above.log(0, 1) >= limit:
		return Worse, 0
	}
	const most = 1 << 10
	reached := func(f float64) bool { return d.below.log(0, f) >= limit || d.above.log(0, f) >= limit }
	if d.NX+d.NY == 0 || !reached(most) {
		return Undecided, 0
	}
	low, high := 1.0, float64(most)
	for high-low > low/1000 {
		if mid := (low + high) / 2; reached(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return Undecided, int64(math.Ceil((high - 1) * float64(d.NX+d.NY)))
}

// Save appends the state. Load of it gives the same state to the last bit.
func (d *Difference) Save(dst []byte) []byte {
	dst = d.mirrored.save(d.pair.save(dst))
	for _, s := range []*side{&d.below, &d.above} {
		for k := range s.won {
			dst = appendFloat(appendFloat(dst, s.won[k]), s.stake[k])
		}
	}
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(d.NX)), uint64(d.NY))
	return appendFloat(appendFloat(dst, d.SumX), d.SumY)
}

// Load is the inverse of Save. It returns the bytes that follow.
func (d *Difference) Load(src []byte) (rest []byte, err error) {
	r := reader{b: src}
	d.pair.load(&r)
	d.mirrored.load(&r)
	for _, s := range []*side{&d.below, &d.above} {
		for k := range s.won {
			s.won[k], s.stake[k] = r.float(), r.float()
		}
	}
	d.NX, d.NY = int64(r.uvarint()), int64(r.uvarint())
	d.SumX, d.SumY = r.float(), r.float()
	if r.err {
		*d = Difference{}
		return nil, errState
	}
	return r.b, nil
}
