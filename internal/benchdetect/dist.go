package main

import (
	"math"
	"math/rand/v2"
	"sync"
)

// dist is a family of scores by their mean.
type dist interface {
	name() string
	mean() float64 // when nothing is wrong
	sd() float64
	at(mean float64) func(*rand.Rand) float64
}

var dists = []dist{&beta{}, coin{}, &stars{}}

func byName(name string) dist {
	for _, d := range dists {
		if d.name() == name {
			return d
		}
	}
	return nil
}

type coin struct{}

func (coin) name() string  { return "0/1" }
func (coin) mean() float64 { return 0.9 }
func (coin) sd() float64   { return 0.3 }
func (coin) at(mean float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		if r.Float64() < mean {
			return 1
		}
		return 0
	}
}

// tables keeps what is worked out for a mean, to ten-thousandths.
type tables[T any] struct {
	mu sync.RWMutex
	by map[int]T
}

func (t *tables[T]) of(mean float64, make func(mean float64) T) T {
	key := int(math.Round(mean * 1e4))
	t.mu.RLock()
	v, ok := t.by[key]
	t.mu.RUnlock()
	if ok {
		return v
	}
	v = make(float64(key) / 1e4)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[int]T{}
	}
	t.by[key] = v
	return v
}

// beta has a standard deviation of .15 whatever its mean.
type beta struct{ quantiles tables[[]float64] }

func (*beta) name() string  { return "Beta" }
func (*beta) mean() float64 { return 0.8 }
func (*beta) sd() float64   { return 0.15 }

func (b *beta) at(mean float64) func(*rand.Rand) float64 {
	q := b.quantiles.of(max(0.05, min(0.95, mean)), betaQuantiles)
	return func(r *rand.Rand) float64 {
		u := r.Float64() * float64(len(q)-1)
		i := int(u)
		return q[i] + (u-float64(i))*(q[i+1]-q[i])
	}
}

// betaQuantiles are 513 of them, so that straight lines between them have the right mean.
func betaQuantiles(mean float64) []float64 {
	const steps = 512
	sd := min(0.15, 0.99*math.Sqrt(mean*(1-mean)/3)) // unimodal
	nu := mean*(1-mean)/(sd*sd) - 1
	a, b := mean*nu, (1-mean)*nu
	// The density over x = sin²t, where it has no poles.
	const fine = 20000
	cdf, total := make([]float64, fine+1), 0.0
	for i := range fine {
		t := (float64(i) + 0.5) / fine * math.Pi / 2
		total += math.Pow(math.Sin(t), 2*a-1) * math.Pow(math.Cos(t), 2*b-1)
		cdf[i+1] = total
	}
	q := make([]float64, steps+1)
	at := 0
	for j := range q {
		for at < fine && cdf[at] < total*float64(j)/steps {
			at++
		}
		s := math.Sin(float64(at) / fine * math.Pi / 2)
		q[j] = s * s
	}
	sum := -(q[0] + q[steps]) / 2
	for _, v := range q {
		sum += v
	}
	// Pulled to the mean from the end that has room.
	if off := sum/steps - mean; off > 0 {
		for j := range q {
			q[j] *= mean / (mean + off)
		}
	} else {
		for j := range q {
			q[j] = 1 - (1-q[j])*(1-mean)/(1-mean-off)
		}
	}
	return q
}

// stars are 1 to 5, scaled to 0 … 1.
type stars struct{ shares tables[[5]float64] }

func (*stars) name() string  { return "1–5" }
func (*stars) mean() float64 { return 0.8 }
func (*stars) sd() float64   { return 0.254 }

func (s *stars) at(mean float64) func(*rand.Rand) float64 {
	shares := s.shares.of(max(0.02, min(0.98, mean)), starShares)
	return func(r *rand.Rand) float64 {
		u := r.Float64()
		for i, c := range shares {
			if u < c {
				return float64(i) / 4
			}
		}
		return 1
	}
}

// starShares are cumulative: the healthy ones tilted until the mean is right.
func starShares(mean float64) (c [5]float64) {
	healthy := [5]float64{0.03, 0.05, 0.12, 0.29, 0.51}
	low, high := -60.0, 60.0
	for range 200 {
		tilt := (low + high) / 2
		sum, moment := 0.0, 0.0
		for i, p := range healthy {
			p *= math.Exp(tilt * float64(i) / 4)
			sum += p
			moment += p * float64(i) / 4
			c[i] = sum
		}
		if moment/sum < mean {
			low = tilt
		} else {
			high = tilt
		}
		for i := range c {
			c[i] /= sum
		}
	}
	return c
}
