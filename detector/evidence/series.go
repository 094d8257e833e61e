package evidence

import (
	"encoding/binary"
	"math"
)

// Series is the evidence that the mean of one series has dropped: a Shiryaev–Roberts e-detector over the mixture of bets (Shin,
// Ramdas, Rinaldo, E-detectors, 2203.03532). For each bet
//
//	R ← (b + R)·e^inc,   M = Σ w·R,   alarm when M ≥ 1, and then R ← 0
//
// where b is what the purse pays for the pane: the letters of the paper with R in units of A = 1/b, so that b may change from
// pane to pane.
//
// Why the budget holds. Let a be the number of alarms so far and P the money paid in. Before the reset E[Σ w·R | past] ≤ b + M,
// for e^inc has a conditional mean of at most 1; at an alarm M falls from at least 1 to 0 while a grows by 1. So M + a − P is a
// supermartingale that starts at 0, and M ≥ 0: E[a] ≤ E[P] at any time, for every b that is known before the pane is seen. A
// mean that is at or above m may do what it likes.
//
// Nothing overflows, though a pane of 10⁶ scores may move ln R by 10⁷: in units of A, R is below 1/w after every pane or there
// was an alarm, an R beyond all numbers is an alarm too, and one that is too small for a number is nothing beside the next b.
// The zero value is a series that has seen nothing and was born when the purse's Paid was 0; see Start.
type Series struct {
	bets [Bets]bet
	paid float64 // reading of the purse up to which b has been paid in
}

// bet is one λ. CUSUM, the maximum over all starts instead of the sum, tells where the evidence began.
type bet struct {
	r     float64 // R
	cusum float64 // ln of the greatest wealth of a bet begun at some pane, ≥ 0
	begin int64   // the pane after the one that left cusum at 0 last
	since Moments // of the scores since begin
}

// Moments are what is known of the scores of a stretch of panes.
type Moments struct {
	N       int64
	Sum     float64
	Squares float64 // as Weights.Variance: a little more than Σx²
}

func (m *Moments) add(w *Weights) {
	m.N += w.N()
	m.Sum += w.Sum()
	for j, v := range w {
		if v != 0 {
			m.Squares += float64(v) * (float64(j*j) / (one * steps * steps))
		}
	}
}

func (m *Moments) merge(o *Moments) {
	m.N += o.N
	m.Sum += o.Sum
	m.Squares += o.Squares
}

func (m *Moments) save(dst []byte) []byte {
	return appendFloat(appendFloat(binary.AppendUvarint(dst, uint64(m.N)), m.Sum), m.Squares)
}

func (m *Moments) load(r *reader) {
	*m = Moments{int64(r.uvarint()), r.float(), r.float()}
	r.err = r.err || !(m.N >= 0 && m.Sum >= 0 && m.Squares >= 0)
}

// Mean is NaN when empty.
func (m *Moments) Mean() float64 { return m.Sum / float64(m.N) }

// Alarm is what an alarm says.
type Alarm struct {
	Onset int64   // the pane from which the evidence grew
	Since Moments // of the scores from there on
}

// Start says that nothing before the purse's present reading is for this series.
func (s *Series) Start(paid float64) { *s = Series{paid: paid} }

// Add takes a pane's scores into account and tells whether that is an alarm; the evidence is reset by it. Panes come in order.
// paid is the purse's reading that includes this pane. A pane without scores may be left out: what it was paid comes with the
// next.
//
// With several parts the claim is that in each of them the mean is at least that part's own M: their bets are multiplied. So a
// total over cohorts is judged against what each cohort used to be, and a mixture that shifts between good and bad cohorts is
// no evidence.
//
// Panes of several cells may be merged before, with the same result to the last bit. Merging panes of different times gives
// nearly the same alarms, not the same: a bet begun between the two is lost. The guarantee holds both ways.
func (s *Series) Add(pane int64, paid float64, parts ...Part) (Alarm, bool) {
	var inc [Bets]float64
	var all Moments
	claimed := false
	for _, p := range parts {
		p.Table.increments(p.Weights, &inc)
		all.add(p.Weights)
		claimed = claimed || p.Table != nil
	}
	if !claimed { // else what is paid in would be an alarm in the end
		return Alarm{}, false
	}
	return s.step(pane, &all, &inc, paid)
}

// Part are the scores of a pane that are held against one M.
type Part struct {
	Table   *Table
	Weights *Weights
}

func (s *Series) step(pane int64, now *Moments, inc *[Bets]float64, paid float64) (Alarm, bool) {
	b := max(paid-s.paid, 0)
	s.paid = max(paid, s.paid)
	m, best := 0.0, 0
	for k := range s.bets {
		bet := &s.bets[k]
		if bet.r += b; bet.r > 0 { // 0·∞ is no number
			bet.r *= math.Exp(inc[k])
		}
		m += weight[k] * bet.r
		if weight[k]*bet.r > weight[best]*s.bets[best].r {
			best = k
		}
		if bet.cusum <= 0 {
			bet.begin, bet.since = pane, Moments{}
		}
		bet.cusum = max(0, bet.cusum+inc[k])
		bet.since.merge(now)
	}
	if m < 1 {
		return Alarm{}, false
	}
	a := Alarm{Onset: s.bets[best].begin, Since: s.bets[best].since}
	s.Start(s.paid)
	return a, true
}

// M is the evidence, in [0,1): 1 is an alarm.
func (s *Series) M() float64 {
	m := 0.0
	for k := range s.bets {
		m += weight[k] * s.bets[k].r
	}
	return m
}

// Save appends the state. Load of it gives the same state to the last bit.
func (s *Series) Save(dst []byte) []byte {
	dst = appendFloat(dst, s.paid)
	if s.bets == [Bets]bet{} {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	last := int64(0)
	for k := range s.bets {
		b := &s.bets[k]
		dst = appendFloat(dst, b.r)
		dst = appendFloat(dst, b.cusum)
		dst = binary.AppendVarint(dst, b.begin-last)
		last = b.begin
		dst = b.since.save(dst)
	}
	return dst
}

// Load is the inverse of Save. It returns the bytes that follow.
func (s *Series) Load(src []byte) (rest []byte, err error) {
	r := reader{b: src}
	s.load(&r)
	if r.err {
		*s = Series{}
		return nil, errState
	}
	return r.b, nil
}

func (s *Series) load(r *reader) {
	*s = Series{paid: r.float()}
	if r.uvarint() == 0 {
		return
	}
	last := int64(0)
	for k := range s.bets {
		b := &s.bets[k]
		b.r, b.cusum = r.float(), r.float()
		last += r.varint()
		b.begin = last
		b.since.load(r)
		r.err = r.err || !(b.r >= 0 && b.cusum >= 0)
	}
}
