package detector

import (
	"math"
	"time"

	"github.com/driftd/driftd/windows"
)

// Everything that is said about why an alert fires comes down to one question: have the values of these cells moved since the
// turn, and as far as those of the alert? This file answers it, from the counts and sums that the windows hold.

const (
	fewValues    = 10  // values on either side of the turn; below, nothing is said
	errorsAway   = 3   // standard errors that a movement must be away from none, or from half the effect, to be told from it
	errorsChosen = 4   // the same, where the turn was chosen among many
	errorsFound  = 5   // and where the cohort was, before it is taken for the cause
	maxTuples    = 500 // tuples of dimension values that are read of a version; of more, those that sort last are left out
)

// span is a stretch of event time: panes that begin in [from, to).
type span struct{ from, to time.Time }

// row is one tuple of dimension values on either side of the turn.
type row struct {
	dims          []string
	before, after windows.Moments
}

// move is how far the mean of a set of rows went.
//
// It is taken apart as by Kitagawa, Components of a Difference Between Two Rates, Journal of the American Statistical
// Association 50 (1955): with the shares w and the means m of the rows before (0) and after (1),
//
//	m1 − m0 = Σ ½(w0+w1)·(m1−m0) + Σ ½(m0+m1)·(w1−w0)
//
// exactly. The first sum is how the rows themselves moved, the second is the shift of the mix of them. A row that has values on
// one side only moved not at all: all that it does is part of the mix.
type move struct {
	before, after windows.Moments
	rate, mix     float64
	se            float64 // standard error of rate, with one variance for all rows
}

// meanOf is the mean of moments, NaN for none.
func meanOf(m windows.Moments) float64 { return m.Sum / float64(m.N) }

func plus(a, b windows.Moments) windows.Moments {
	return windows.Moments{N: a.N + b.N, Sum: a.Sum + b.Sum, Squares: a.Squares + b.Squares}
}

func moveOf(rows []row) move {
	var m move
	var within, free float64 // sum of squares around the rows' own means, and how many degrees of freedom they have
	for i := range rows {
		m.before, m.after = plus(m.before, rows[i].before), plus(m.after, rows[i].after)
		for _, s := range [2]windows.Moments{rows[i].before, rows[i].after} {
			if s.N > 1 {
				within += max(s.Squares-s.Sum*meanOf(s), 0)
				free += float64(s.N - 1)
			}
		}
	}
	if m.before.N == 0 || m.after.N == 0 {
		return m
	}
	var spread float64
	for i := range rows {
		w, d := rows[i].part(&m)
		m.rate += w * d
		if d != 0 || rows[i].both() {
			spread += w * w * (1/float64(rows[i].before.N) + 1/float64(rows[i].after.N))
		}
	}
	m.mix = meanOf(m.after) - meanOf(m.before) - m.rate
	m.se = math.Sqrt(within / max(free, 1) * spread)
	return m
}

func (r *row) both() bool { return r.before.N > 0 && r.after.N > 0 }

// part is the row's weight in a set that moved by m, and how far it moved itself.
func (r *row) part(m *move) (weight, moved float64) {
	weight = (float64(r.before.N)/float64(m.before.N) + float64(r.after.N)/float64(m.after.N)) / 2
	if r.both() {
		moved = meanOf(r.after) - meanOf(r.before)
	}
	return weight, moved
}

// thin says that there is too little to say anything.
func (m *move) thin() bool {
	return m.before.N < fewValues || m.after.N < fewValues || !finite(m.rate) || !finite(m.mix) || !finite(m.se)
}

func tooThin(rows []row) bool {
	m := moveOf(rows)
	return m.thin()
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// scale is what moves are divided by before they are compared: for figures without an upper end, such as latency, the mean from which
// they started, so that a prompt that answers in half a second is compared with one that takes ten.
func (m *move) scale(relative bool) float64 {
	if relative {
		return math.Abs(meanOf(m.before))
	}
	return 1
}

// motion is how something moved beside an alert.
type motion int

const (
	unknown motion = iota // too little to tell
	stood                 // surely by less than half as much
	moved                 // the same way, by half as much or more, and surely
	mixed                 // of several: some moved, some stood
)

// beside compares a move with the effect that an alert is about, which may be of other values.
func (m *move) beside(effect *move, relative bool) motion {
	if m.thin() || m.scale(relative) == 0 || effect.scale(relative) == 0 {
		return unknown
	}
	half := math.Abs(effect.rate) / effect.scale(relative) / 2
	d, far := m.rate/m.scale(relative), errorsAway*m.se/m.scale(relative)
	if effect.rate < 0 {
		d = -d
	}
	switch {
	case d > 0 && d >= half && d >= far:
		return moved
	case d+far <= half:
		return stood
	}
	return unknown
}

// real says that the rows moved in a direction, −1 or 1, and that it is no chance.
func (m *move) real(direction float64) bool { return m.surely(direction, errorsAway) }

// surely is real by so many standard errors.
func (m *move) surely(direction, errors float64) bool {
	return !m.thin() && m.rate*direction > 0 && m.rate*direction >= errors*m.se
}
