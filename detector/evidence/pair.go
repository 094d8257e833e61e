package evidence

import "math"

// pairKappa are the sizes of the bets on two streams.
var pairKappa = ladder(0.9, 1.6)

// Pair are two concurrent streams: X of the new side, Y of the one that it is compared with. For H0: E[Y | past] − E[X | past]
// ≤ d, a bet with λx·nx = λy·ny = L is worth
//
//	Σ ln(1 + λx(cx − x)) + Σ ln(1 + λy(y − cy)) − L(cx − cy) − L·d
//
// and its exponential has a mean of at most 1, given the past and the pane's counts: with 1+z ≤ e^z the means of the factors
// multiply to at most e^(L(μy − μx) + L(cx − cy)). The two means enter by their difference alone; so a bad day that moves both
// is no evidence, and neither is a swing, or panes that wander together. A bet that is quadratic in x (Howard, Ramdas,
// McAuliffe, Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences, 2021) has the same shape and loses as
// Weights says.
//
// The centres cx, cy are the running means of the panes before: any that are known before the pane would do, and these lose
// least. λx = λ·ny/(nx+ny), λy = λ·nx/(nx+ny): the rarer side decides, with nx of 1 and ny of 99 as with nx of 1 and Y known.
type Pair struct {
	x, y           Weights // of panes that wait for the other side
	sumX, sumY     float64 // of the panes before, for the centres
	countX, countY int64
}

// swing is what a pane adds to bet k: its wealth for d is won − stake·d.
type swing struct{ won, stake [Bets]float64 }

// add takes a pane into account. ok is false while one side has no scores: panes are merged until both have.
func (p *Pair) add(x, y *Weights) (s swing, moved Weights, ok bool) {
	p.x.Merge(x)
	p.y.Merge(y)
	nx, ny := p.x.N(), p.y.N()
	if nx == 0 || ny == 0 {
		return s, moved, false
	}
	cx, cy := centre(p.sumX, p.countX), centre(p.sumY, p.countY)
	shareX := float64(ny) / float64(nx+ny) // of λ, that λx gets
	shareY := float64(nx) / float64(nx+ny)
	most := 1 / max((1-cx)*shareX, cy*shareY) // of λ, that cannot go bankrupt
	for k, kappa := range pairKappa {
		lx, ly := kappa*most*shareX, kappa*most*shareY
		won := 0.0
		for j := range p.x {
			if v := p.x[j]; v != 0 {
				won += float64(v) * math.Log(1+lx*(cx-knot(j)))
			}
			if v := p.y[j]; v != 0 {
				won += float64(v) * math.Log(1+ly*(knot(j)-cy))
			}
		}
		l := lx * float64(nx)
		s.won[k] = won/one - l*(cx-cy)
		s.stake[k] = l
	}
	p.sumX, p.countX = p.sumX+p.x.Sum(), p.countX+nx
	p.sumY, p.countY = p.sumY+p.y.Sum(), p.countY+ny
	moved = p.x
	p.x, p.y = Weights{}, Weights{}
	return s, moved, true
}

// centre is the mean so far, drawn to ½ by one score, so that it is neither 0 nor 1.
func centre(sum float64, n int64) float64 { return (sum + 0.5) / float64(n+1) }

func (p *Pair) save(dst []byte) []byte {
	dst = p.y.Append(p.x.Append(dst))
	dst = appendFloat(appendFloat(dst, p.sumX), p.sumY)
	return appendFloat(appendFloat(dst, float64(p.countX)), float64(p.countY))
}

func (p *Pair) load(r *reader) {
	readWeights(r, &p.x)
	readWeights(r, &p.y)
	p.sumX, p.sumY = r.float(), r.float()
	p.countX, p.countY = int64(r.float()), int64(r.float())
	if !(p.sumX >= 0 && p.sumY >= 0 && p.countX >= 0 && p.countY >= 0) {
		r.err = true
	}
}

// Canary is the evidence that X is worse than Y by more than a tolerance: Series over the bets of a Pair.
type Canary struct {
	pair   Pair
	series Series
}

// Start is as Series.Start; the running means go too.
func (c *Canary) Start(paid float64) {
	*c = Canary{}
	c.series.Start(paid)
}

// Add is as Series.Add, of X; tolerance is how much worse X may be, in [0,1).
func (c *Canary) Add(tolerance float64, pane int64, x, y *Weights, paid float64) (Alarm, bool) {
	s, moved, ok := c.pair.add(x, y)
	if !ok {
		return Alarm{}, false
	}
	for k := range s.won {
		s.won[k] -= s.stake[k] * tolerance
	}
	return c.series.step(pane, &moved, &s.won, paid)
}

// M is as Series.M.
func (c *Canary) M() float64 { return c.series.M() }

// Save appends the state. Load of it gives the same state to the last bit.
func (c *Canary) Save(dst []byte) []byte { return c.pair.save(c.series.Save(dst)) }

// Load is the inverse of Save. It returns the bytes that follow.
func (c *Canary) Load(src []byte) (rest []byte, err error) {
	*c = Canary{}
	r := reader{b: src}
	c.series.load(&r)
	c.pair.load(&r)
	if r.err {
		*c = Canary{}
		return nil, errState
	}
	return r.b, nil
}
