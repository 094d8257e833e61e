package detector

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// race says which of several names holds most calls: the one that came last to do so. Chance alone must not make it change
// hands, however long two of equal share run side by side. So another takes over when its lead over the holder, counted from
// the last time that they were level, is as great as leadSigmas standard deviations of the lead that two equals may have:
// lead ≥ 6·√calls, of the calls of both. That takes 36 calls where all go to the new one, and 900 where six in ten do. Of two
// that share a thousand million calls equally, chance makes less than one change hands.
type race struct {
	begun   bool
	main    string    // the holder
	since   time.Time // it has been; zero since the beginning
	calls   int64     // of the holder since the lead that made it one
	runners []runner  // the others, sorted by name
}

type runner struct {
	name  string
	calls int64     // since the holder's began to count
	lead  int64     // over the holder since they were level; 0: it has none
	of    int64     // calls of both since then
	first time.Time // end of the first minute of the lead
	held  time.Time // until when it was the holder; zero: never
}

const leadSigmas = 6

// takeover is a change of the holder.
type takeover struct {
	from, to string
	since    time.Time // from had been the holder
	first    time.Time // end of the first minute of the lead
	calls    int64     // of to in the lead
	was, is  float64   // its share of the calls of both before the lead and in it

	// proven tells whether from had really held more before the lead. Who is the first holder is a matter of a few calls: when
	// the greater of two takes its place, nothing has changed.
	proven bool
}

// enter lets a name run. The first to enter is the holder.
func (r *race) enter(name string) {
	if !r.begun {
		r.begun, r.main = true, name
		return
	}
	if i, ok := r.find(name); !ok && name != r.main {
		r.runners = slices.Insert(r.runners, i, runner{name: name})
	}
}

func (r *race) find(name string) (int, bool) {
	return slices.BinarySearchFunc(r.runners, name, func(x runner, name string) int { return cmp.Compare(x.name, name) })
}

// leave takes a name out, which is not the holder.
func (r *race) leave(name string) {
	if i, ok := r.find(name); ok {
		r.runners = slices.Delete(r.runners, i, i+1)
	}
}

// run takes a minute's calls; those of names that have not entered do not count.
func (r *race) run(now time.Time, counts []count) (over takeover, ok bool) {
	held := callsOf(counts, r.main)
	r.calls += held
	best := -1
	for i := range r.runners {
		x := &r.runners[i]
		k := callsOf(counts, x.name)
		if k > 0 {
			x.calls += k
		}
		if k == 0 && x.lead == 0 {
			continue
		}
		if x.lead == 0 {
			x.first = now
		}
		x.lead, x.of = x.lead+k-held, x.of+k+held
		if x.lead <= 0 {
			x.lead, x.of = 0, 0
			continue
		}
		if x.lead >= leadSigmas && x.lead*x.lead >= leadSigmas*leadSigmas*x.of && (best < 0 || x.lead > r.runners[best].lead) {
			best = i
		}
	}
	if best < 0 {
		return takeover{}, false
	}
	x := r.runners[best]
	n, before := (x.of+x.lead)/2, r.calls+x.calls-x.of
	over = takeover{
		from: r.main, to: x.name, since: r.since, first: x.first,
		calls: n, was: share(x.calls-n, before), is: share(n, x.of),
	}
	over.proven = over.is-over.was >= byChance(x.of, before, byAccident)
	old := runner{name: r.main, calls: x.of - n}
	if over.proven {
		old.held = now
	}
	r.main, r.since, r.calls = x.name, now, n
	r.runners = slices.Delete(r.runners, best, best+1)
	for i := range r.runners {
		y := &r.runners[i]
		y.calls, y.lead, y.of = 0, 0, 0
	}
	i, _ := r.find(old.name)
	r.runners = slices.Insert(r.runners, i, old)
	return over, true
}

// byChance is how much the shares of n and m calls may differ where each call takes part with the same chance, but for
// probability alpha: √(ln(2/α)/2·(1/n+1/m)) (Hoeffding 1963, for the difference of two means). Calls that come in bunches, as
// those of one user do, differ more.
func byChance(n, m int64, alpha float64) float64 {
	if n <= 0 || m <= 0 {
		return math.Inf(1)
	}
	return math.Sqrt(math.Log(2/alpha) / 2 * (1/float64(n) + 1/float64(m)))
}
