package detector

import (
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/windows"
)

// exceed tests whether more than the allowed share of the values lie beyond a limit, by exact counts. A value within the limit
// is a score of 1 and one beyond it of 0. The share that the rule allows is the claim: there is nothing to learn, and what
// exceeds it by ever so little is told in the end.
type exceed struct {
	*sequential
	table *evidence.Table
	panes []evidence.Weights // of the minute
	at    int64              // which one
}

func newExceed(r *rule, s *windows.Store) kind {
	return newSequential(r, s, func(k *sequential) test {
		k.unit, k.worse = unit{min: 0, max: 1, mirror: true}, over // the value is a share
		x := &exceed{sequential: k}
		share := r.Exceed.Share // twice as many is what half of the money is on
		x.table = evidence.NewTable(1-share, evidence.Aim{Mean: 1 - share, SD: math.Sqrt(share * (1 - share)), By: min(share, 1-share)})
		return x
	})
}

func (x *exceed) specs() []windows.ViewSpec {
	v := x.spec(time.Hour)
	limit := x.Exceed.Limit
	if x.Exceed.Below { // the rest of those that are greater than the next number below
		limit = math.Nextafter(limit, math.Inf(-1))
	}
	v.Over = &limit
	v.Exemplars, v.LowIsWorse = true, x.Exceed.Below
	return []windows.ViewSpec{v}
}

func (x *exceed) read(g *windows.Group) (*evidence.Weights, int64) {
	if x.at != x.minute { // the buffer must not move while it is filled
		x.panes, x.at = slices.Grow(x.panes[:0], len(x.sides[watchSide].Fresh())), x.minute
	}
	n, beyond := g.PaneOver()
	if x.Exceed.Below {
		beyond = n - beyond
	}
	x.panes = append(x.panes, evidence.Exceed(n, beyond))
	return &x.panes[len(x.panes)-1], 0
}

func (x *exceed) ready(*series) bool { return true }

func (x *exceed) start(s *series) { s.proof.Start(x.purse.Paid()) }

func (x *exceed) add(s *series) (f finding, ok bool) {
	a, ok := s.proof.Add(x.minute, x.purse.Paid(), evidence.Part{Table: x.table, Weights: s.pane})
	if !ok {
		return f, false
	}
	return finding{onset: a.Onset, since: a.Since, claim: claim{mean: 1 - x.Exceed.Share, bound: x.table.M()}}, true
}

func (x *exceed) learn(*series) {}

func (x *exceed) follow(s *series) {
	s.stretch.add(x.minute, s.pane, s.n, float64(s.n)*(1-x.Exceed.Share))
}

func (x *exceed) saveEvidence(dst []byte, s *series) []byte { return s.proof.Save(dst) }

func (x *exceed) loadEvidence(r *reader, s *series) { r.evidence(s.proof.Load) }
