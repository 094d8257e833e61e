package evidence

import (
	"encoding/binary"
	"math"
)

// Series is the evidence that the mean of one series has dropped: a Shiryaev–Roberts e-detector over the mixture of bets (Shin, Ramdas, Rinaldo,
// E-detectors, 2203.03532, sections 2 and 5). For each bet
//
//	R ← (b + R)·e^inc,   M = Σ w·R,   alarm when M ≥ 1, and then R ← 0
//
// where b is what the purse pays for the pane: the letters of the paper with R in units of A = 1/b, so that b may change from pane to pane.
//
// Why the budget holds. Let a be the number of alarms so far and P the money paid in. Before the reset E[Σ w·R | past] ≤ b + M, for e^inc has a
// conditional mean of at most 1; at an alarm M falls from at least 1 to 0 while a grows by 1. So M + a − P is a supermartingale that starts at 0, and M ≥ 0:
// E[a] ≤ E[P] at any time, for every b that is known before the pane is seen. A mean that is at or above m may do what it likes.
//
// Logarithms throughout: a pane of 10⁶ scores moves ln R by up to ±10⁷, and R neither overflows nor dies. The zero value is a series that
// has seen nothing and was born when the purse's Paid was 0; see Start.
type Series struct {
	bets [Bets]bet
	paid float64 // reading of the purse up to which b has been paid in
}

// bet is one λ. CUSUM, the maximum over all starts instead of the sum, tells where the evidence began.
type bet struct {
	logR  float64 // −Inf: nothing
	cusum float64 // ln of the greatest wealth of a bet begun at some pane, ≥ 0
	begin int64   // the pane after the one that left cusum at 0 last
	since Moments // of the scores since begin
	live  bool    // false: as good as the zero value
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
		m.Squares += float64(v) * (knot(j) * knot(j) / one)
	}
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

// Add takes a pane's scores into account and tells whether that is an alarm; the evidence is reset by it. Panes come in
// order. paid is the purse's reading that includes this pane. A pane without scores may be left out: what it was paid comes with the next.
//
// With several parts the claim is that in each of them the mean is at least that part's own M: their bets are multiplied. So a total over cohorts is judged against what each cohort
// used to be, and a mixture that shifts between good and bad cohorts is no evidence.
//
// Panes of several cells may be merged before, with the same result to the last bit. Merging panes of different times gives nearly the same alarms, not the same: a
// bet begun between the two is lost. The guarantee holds both ways.
func (s *Series) Add(pane int64, paid float64, parts ...Part) (Alarm, bool) {
	var inc [Bets]float64
	var all Weights
	for _, p := range parts {
		p.Table.increments(p.Weights, &inc)
		all.Merge(p.Weights)
	}
	return s.step(pane, &all, &inc, paid)
}

// Part are the scores of a pane that are held against one M.
type Part struct {
	Table   *Table
	Weights *Weights
}

func (s *Series) step(pane int64, w *Weights, inc *[Bets]float64, paid float64) (Alarm, bool) {
	logB := math.Log(max(paid-s.paid, 0))
	s.paid = max(paid, s.paid)
	var m Moments
	m.add(w)
	greatest := math.Inf(-1)
	for k := range s.bets {
		b := &s.bets[k]
		if !b.live {
			*b = bet{logR: math.Inf(-1), begin: pane, live: true}
		}
		b.logR = addLogs(b.logR, logB) + inc[k]
		if b.cusum <= 0 {
			b.begin, b.since = pane, Moments{}
		}
		b.cusum = max(0, b.cusum+inc[k])
		b.since.N += m.N
		b.since.Sum += m.Sum
		b.since.Squares += m.Squares
		greatest = max(greatest, b.logR)
	}
	if greatest < 0 || s.Log() < 0 { // M is at most the greatest R
		return Alarm{}, false
	}
	best := &s.bets[0]
	for k := range s.bets {
		if s.bets[k].logR > best.logR {
			best = &s.bets[k]
		}
	}
	a := Alarm{Onset: best.begin, Since: best.since}
	s.Start(s.paid)
	return a, true
}

// Log is ln M: 0 is an alarm, −Inf no evidence at all.
func (s *Series) Log() float64 {
	sum := math.Inf(-1)
	for k := range s.bets {
		if s.bets[k].live {
			sum = addLogs(sum, s.bets[k].logR)
		}
	}
	return sum + math.Log(weight)
}

// addLogs is ln(e^a + e^b).
func addLogs(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if d := b - a; d > -40 { // below, the last bit of a is greater
		return a + math.Log1p(math.Exp(d))
	}
	return a // also when both are −Inf
}

// Save appends the state. Load of it gives the same state to the last bit.
func (s *Series) Save(dst []byte) []byte {
	dst = appendFloat(dst, s.paid)
	if !s.bets[0].live {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	last := int64(0)
	for k := range s.bets {
		b := &s.bets[k]
		dst = appendFloat(dst, b.logR)
		dst = appendFloat(dst, b.cusum)
		dst = binary.AppendVarint(dst, b.begin-last)
		last = b.begin
		dst = binary.AppendUvarint(dst, uint64(b.since.N))
		dst = appendFloat(dst, b.since.Sum)
		dst = appendFloat(dst, b.since.Squares)
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
		b.live = true
		b.logR, b.cusum = r.float(), r.float()
		last += r.varint()
		b.begin = last
		b.since.N = int64(r.uvarint())
		b.since.Sum, b.since.Squares = r.float(), r.float()
	}
}
