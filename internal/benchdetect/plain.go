package main

import "math"

// What monitors do, and two detectors that streaming libraries have. Each judges at every minute and says whether it fires now.

const bins = 256

// rolling keeps the last hour and the 24 hours before it.
type rolling struct {
	ring       [][]uint8 // bins of each minute
	hour, day  sums
	counts     bool
	hourCounts [bins]int
	dayCounts  [bins]int
	minuteSums []sums
}

type sums struct{ n, s, ss float64 }

func (s *sums) add(o sums, sign float64) {
	s.n += sign * o.n
	s.s += sign * o.s
	s.ss += sign * o.ss
}

func (s sums) mean() float64 { return s.s / s.n }
func (s sums) variance() float64 {
	m := s.mean()
	return max(0, s.ss/s.n-m*m) * s.n / max(1, s.n-1)
}

func newRolling(counts bool) *rolling {
	return &rolling{ring: make([][]uint8, learning), minuteSums: make([]sums, learning), counts: counts}
}

func (r *rolling) push(p *pane) {
	slot, leaves := p.minute%learning, (p.minute+day)%learning // the one of an hour ago
	old := r.minuteSums[slot]
	r.day.add(old, -1)
	moved := r.minuteSums[leaves]
	r.hour.add(moved, -1)
	r.day.add(moved, 1)
	var now sums
	for _, x := range p.x {
		now.n++
		now.s += x
		now.ss += x * x
	}
	r.hour.add(now, 1)
	if r.counts {
		for _, b := range r.ring[slot] {
			r.dayCounts[b]--
		}
		for _, b := range r.ring[leaves] {
			r.hourCounts[b]--
			r.dayCounts[b]++
		}
		row := r.ring[slot][:0]
		for _, x := range p.x {
			b := uint8(min(bins-1, int(x*bins)))
			row = append(row, b)
			r.hourCounts[b]++
		}
		r.ring[slot] = row
	}
	r.minuteSums[slot] = now
}

// welch: the last hour's mean is below that of the 24 hours before, p < .01 (normal, one-sided).
type welch struct{ *rolling }

func (w welch) pane(p *pane) bool {
	w.push(p)
	if p.minute < learning || w.hour.n < 10 {
		return false
	}
	se := math.Sqrt(w.hour.variance()/w.hour.n + w.day.variance()/w.day.n)
	return w.day.mean()-w.hour.mean() > 2.3263*se && se > 0
}

// ks: the last hour's distribution is another than that of the 24 hours before, p < .01 (asymptotic).
type ks struct{ *rolling }

func (k ks) pane(p *pane) bool {
	k.push(p)
	if p.minute < learning || k.hour.n < 10 {
		return false
	}
	a, b, d := 0.0, 0.0, 0.0
	for i := range k.hourCounts {
		a += float64(k.hourCounts[i]) / k.hour.n
		b += float64(k.dayCounts[i]) / k.day.n
		d = max(d, math.Abs(a-b))
	}
	return d*math.Sqrt(k.hour.n*k.day.n/(k.hour.n+k.day.n)) > 1.6276
}

// floor: the last hour's mean is .03 below the known mean.
type floor struct {
	*rolling
	mean float64
}

func (f floor) pane(p *pane) bool {
	f.push(p)
	return p.minute >= learning && f.hour.n >= 10 && f.hour.mean() < f.mean-0.03
}

// pageHinkley with tolerance .005 and λ = 50, on falls.
type pageHinkley struct{ n, mean, sum, greatest float64 }

func (h *pageHinkley) pane(p *pane) (fires bool) {
	for _, x := range p.x {
		h.n++
		h.mean += (x - h.mean) / h.n
		h.sum += x - h.mean + 0.005
		h.greatest = max(h.greatest, h.sum)
		if h.n >= 30 && h.greatest-h.sum > 50 {
			fires = true
			*h = pageHinkley{}
		}
	}
	return fires && p.minute >= learning
}

// adwin with δ = .002, on falls (Bifet, Gavaldà, Learning from time-changing data with adaptive windowing, 2007): at most five
// buckets of each size, looked at each 32 scores.
type adwin struct {
	rows [40][]bucket // row i: buckets of 2^i scores, newest last
	all  bucket
	tick int
}

type bucket struct{ n, s, ss float64 }

func (b *bucket) add(o bucket, sign float64) {
	b.n += sign * o.n
	b.s += sign * o.s
	b.ss += sign * o.ss
}

func (a *adwin) pane(p *pane) (fires bool) {
	for _, x := range p.x {
		b := bucket{1, x, x * x}
		a.all.add(b, 1)
		a.rows[0] = append(a.rows[0], b)
		for i := 0; len(a.rows[i]) > 5; i++ {
			two := a.rows[i][0]
			two.add(a.rows[i][1], 1)
			a.rows[i] = append(a.rows[i][:0], a.rows[i][2:]...)
			a.rows[i+1] = append(a.rows[i+1], two)
		}
		a.tick++
		if a.tick%32 == 0 {
			for {
				changed, fell := a.cut()
				if !changed {
					break
				}
				fires = fires || fell
			}
		}
	}
	return fires && p.minute >= learning
}

// cut drops the oldest bucket where what came after some point differs from what came before.
func (a *adwin) cut() (changed, fell bool) {
	mean := a.all.s / a.all.n
	variance := max(0, a.all.ss/a.all.n-mean*mean)
	logD := math.Log(2 * math.Log(a.all.n) / 0.002)
	var old bucket
	for i := len(a.rows) - 1; i >= 0; i-- {
		for _, b := range a.rows[i] {
			old.add(b, 1)
			n0, n1 := old.n, a.all.n-old.n
			if n0 < 5 || n1 < 5 {
				continue
			}
			m := 1/(n0-4) + 1/(n1-4)
			eps := math.Sqrt(2*m*variance*logD) + 2.0/3*m*logD
			diff := old.s/n0 - (a.all.s-old.s)/n1
			if math.Abs(diff) > eps {
				for j := len(a.rows) - 1; j >= 0; j-- { // the oldest bucket goes
					if len(a.rows[j]) > 0 {
						a.all.add(a.rows[j][0], -1)
						a.rows[j] = append(a.rows[j][:0], a.rows[j][1:]...)
						break
					}
				}
				return true, diff > 0
			}
		}
	}
	return false, false
}
