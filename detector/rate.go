package detector

import (
	"math"
	"time"
)

// rate watches the share of a version's calls that have something, such as a fallback prompt. It has risen when a stretch of
// minutes has it at least three times as often as all before, and in one call of strayOne at least, all the time since its first such
// call; when it has confirmCalls of them; and when it differs from what was before by more than chance gives: the
// likelihood ratio of two shares against one for both, G = 2·ln, is leastG. From then on, that is usual. So an outage of an
// hour that comes again the same day is told once, and a week later again. That a rate falls is no change.
type rate struct {
	hits, calls int64     // usual: since the last rise, without the stretch
	last, seen  time.Time // end of the newest minute with calls, and with hits
	first       time.Time // end of the first minute of the stretch
	n, m        int64     // hits and calls in the stretch; 0 outside one
}

// leastG is a bound of G that chance passes in one stretch of a thousand million (χ² with one degree of freedom; Wilks 1938):
// stretches begin with every hit, and there are many.
const leastG = 38

// stretchCalls is how many calls a stretch may take to be told apart from chance. One that has not been then is usual.
const stretchCalls = 200

// add takes a minute with k hits among calls.
func (r *rate) add(now time.Time, k, calls int64) (t turn, risen bool) {
	if calls == 0 {
		return turn{}, false
	}
	if r.n == 0 {
		r.first = now
		if r.hits < confirmCalls && !r.seen.IsZero() && r.seen.Equal(r.last) {
			r.first = r.last // too rare then to begin a stretch
		}
	}
	r.last = now
	if k > 0 {
		r.seen = now
	}
	r.n, r.m = r.n+k, r.m+calls
	was, is := share(r.hits, r.calls), share(r.n, r.m)
	switch {
	case is < max(1./strayOne, 3*was):
	case r.n >= confirmCalls && r.calls >= confirmCalls && likelihoodRatio(r.n, r.m, r.hits, r.calls) >= leastG:
		t = turn{first: r.first, calls: r.n, was: was, is: is}
		r.hits, r.calls, r.n, r.m = r.n, r.m, 0, 0
		return t, true
	case r.m < stretchCalls:
		return turn{}, false
	}
	r.hits, r.calls, r.n, r.m = r.hits+r.n, r.calls+r.m, 0, 0
	return turn{}, false
}

// likelihoodRatio is G of n of m against k of l: 2·Σ observed·ln(observed/expected) over the table of four.
func likelihoodRatio(n, m, k, l int64) float64 {
	p := share(n+k, m+l)
	cell := func(o int64, e float64) float64 {
		if o == 0 {
			return 0
		}
		return float64(o) * math.Log(float64(o)/e)
	}
	x, y := float64(m), float64(l)
	return 2 * (cell(n, x*p) + cell(m-n, x*(1-p)) + cell(k, y*p) + cell(l-k, y*(1-p)))
}
