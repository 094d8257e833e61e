package evidence

// Pair are two concurrent streams: X of the new side, Y of the one that it is compared with. For H0: E[Y | past] − E[X | past]
// ≤ d, a bet with λx·nx = λy·ny = L is worth
//
//	Σ ln(1 + λx(cx − x)) + Σ ln(1 + λy(y − cy)) − L(cx − cy) − L·d
//
// and its exponential has a mean of at most 1, given the past and the pane's counts: with 1+z ≤ e^z the means of the factors
// multiply to at most e^(L(μy − μx) + L(cx − cy)). The two means enter by their difference alone; so a bad day that moves both
// is no evidence, and neither is a swing, or panes that wander together. With cx = cy and scores of 0 and 1 it is the E-variable
// of Turner, Ly, Grünwald (Generic E-variables for exact sequential k-sample tests, 2106.02693). A bet that is quadratic in x
// (Howard, Ramdas, McAuliffe, Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences, 2021) has the same shape
// and loses as Weights says.
//
// The centres cx, cy are the running means of the panes before: any that are known before the pane would do, and these lose
// least. λx = λ·ny/(nx+ny), λy = λ·nx/(nx+ny): the rarer side decides, with nx of 1 and ny of 99 as with nx of 1 and Y known.
type Pair struct {
	x, y         Weights // of panes that wait for the other side
	pastX, pastY Moments // of the panes before, for the centres
}

// swing is what a pane adds to bet k: its wealth for d is won − stake·d.
type swing struct{ won, stake [Bets]float64 }

// add takes a pane into account, with half of the money on a difference of by if that is above 0. ok is false while one side
// has no scores: panes are merged until both have.
func (p *Pair) add(x, y *Weights, by float64) (s swing, moved Moments, ok bool) {
	p.x.Merge(x)
	p.y.Merge(y)
	nx, ny := p.x.N(), p.y.N()
	if nx == 0 || ny == 0 {
		return s, moved, false
	}
	cx, vx := p.pastX.centre()
	cy, vy := p.pastY.centre()
	shareX := float64(ny) / float64(nx+ny) // of λ, that λx gets
	shareY := float64(nx) / float64(nx+ny)
	bankrupt := 1 / max((1-cx)*shareX, cy*shareY, 1.0/greatest)
	lambda := rungs(bankrupt)
	if by > 0 { // near 0 the growth is λ·by − λ²(vx·shareX + vy·shareY)/2, of which this is the greatest
		aimAt(&lambda, bankrupt, by/(vx*shareX+vy*shareY))
	}
	addLn(&s.won, &p.x, &lambda, shareX, cx)
	addLn(&s.won, &p.y, &lambda, -shareY, cy)
	for k, l := range lambda {
		s.stake[k] = l * shareX * float64(nx)
		s.won[k] -= s.stake[k] * (cx - cy)
	}
	moved.add(&p.x)
	p.pastX.merge(&moved)
	p.pastY.add(&p.y)
	p.x, p.y = Weights{}, Weights{}
	return s, moved, true
}

// centre are mean and variance so far, with half a score of 0 and half a one of 1 thought in, so that the mean is neither.
func (m *Moments) centre() (mean, variance float64) {
	n := float64(m.N) + 1
	mean = (m.Sum + 0.5) / n
	return mean, max(0, (m.Squares+0.5)/n-mean*mean)
}

func (p *Pair) save(dst []byte) []byte {
	return p.pastY.save(p.pastX.save(p.y.Append(p.x.Append(dst))))
}

func (p *Pair) load(r *reader) {
	readWeights(r, &p.x)
	readWeights(r, &p.y)
	p.pastX.load(r)
	p.pastY.load(r)
}

// Canary is the evidence that X is worse than Y by more than a tolerance: Series over the bets of a Pair.
type Canary struct {
	// By is the drop, beyond the tolerance, that half of the money is on; 0 for none. It is the rule's, and not saved.
	By float64

	pair   Pair
	series Series
}

// Start is as Series.Start; the running means go too.
func (c *Canary) Start(paid float64) {
	*c = Canary{By: c.By}
	c.series.Start(paid)
}

// Add is as Series.Add, of X; tolerance is how much worse X may be, in [0,1).
func (c *Canary) Add(tolerance float64, pane int64, x, y *Weights, paid float64) (Alarm, bool) {
	s, moved, ok := c.pair.add(x, y, c.By)
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
	c.Start(0)
	r := reader{b: src}
	c.series.load(&r)
	c.pair.load(&r)
	if r.err {
		c.Start(0)
		return nil, errState
	}
	return r.b, nil
}
