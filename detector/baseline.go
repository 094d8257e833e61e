package detector

import (
	"cmp"
	"math"
	"slices"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/windows"
)

// baseline is what a series is compared with: sealed once, from scores that it does not judge, and kept as long as the series.
//
// That of a total over cohorts has a part for each cohort, and the scores of each are held against that cohort's own bound. So
// a mixture that shifts between good and bad cohorts is no evidence. The parts share the risk that a bound is above the true
// mean. Cohorts with too few scores for a bound of their own are one part together, the rest; so are those that came later. If
// even the rest is too small, the smallest of the others join it, in the end all: then it is the plain total.
type baseline struct {
	parts   []part
	cohorts []string       // whose the first parts are, see cohortKey; none where one part takes all scores
	index   map[string]int // of parts by cohort
	rest    int            // part of the other cohorts; -1: they are not judged
	hours   int            // of the day, that a part is about: the first part from midnight UTC; 0 where parts are no hours
	at      int64          // minute at whose beginning it was sealed; 0 for a fixed one
	against string         // version whose scores it is made of; "" where the rule says it
	n       int64
	mean    float64
}

// part is the claim about some of a series' scores.
type part struct {
	bound    float64 // the mean is at least this
	n        int64   // scores that it was sealed from
	mean     float64
	variance float64 // of the mean
	table    *evidence.Table
}

// maxParts bounds what a total's tick costs.
const maxParts = 64

// fixedBaseline is a number that the rule gives.
func fixedBaseline(m float64) *baseline {
	return &baseline{parts: []part{{bound: m, mean: m, table: evidence.NewTable(m, evidence.Aim{})}}, rest: -1, mean: m}
}

// learned are the scores of a cohort.
type learned struct {
	cohort  string
	weights evidence.Weights
	n       int64
}

// sealBaseline makes a baseline of the scores of a whole, and of the cohorts that it consists of where those are known. by is how
// great a change the rule asks for.
func sealBaseline(whole *evidence.Weights, cohorts []learned, at int64, against string, by func(reference float64) float64) *baseline {
	b := &baseline{rest: -1, at: at, against: against, n: whole.N(), mean: whole.Mean()}
	shares, rest := divide(cohorts)
	if len(shares) == 0 {
		b.parts = []part{sealPart(whole, evidence.BaselineAlpha, by)}
		return b
	}
	alpha := evidence.BaselineAlpha / float64(len(shares))
	if rest.N() > 0 {
		alpha = evidence.BaselineAlpha / float64(len(shares)+1)
	}
	for i := range shares {
		b.cohorts = append(b.cohorts, shares[i].cohort)
		b.parts = append(b.parts, sealPart(&shares[i].weights, alpha, by))
	}
	b.number()
	if rest.N() > 0 {
		b.rest = len(b.parts)
		b.parts = append(b.parts, sealPart(&rest, alpha, by))
	}
	return b
}

// divide tells which cohorts get a part of their own, in an order that depends on their names and numbers alone, and what is
// left for the rest.
func divide(cohorts []learned) (parts []learned, rest evidence.Weights) {
	slices.SortFunc(cohorts, func(a, b learned) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.cohort, b.cohort)) })
	parts = cohorts
	for len(parts) > 0 {
		left := rest.N()
		last := &parts[len(parts)-1]
		if last.n >= evidence.BaselineN && len(parts) <= maxParts && (left == 0 || left >= evidence.BaselineN) {
			break
		}
		rest.Merge(&last.weights)
		parts = parts[:len(parts)-1]
	}
	return parts, rest
}

func sealPart(w *evidence.Weights, alpha float64, by func(reference float64) float64) part {
	return partOf(w, evidence.Lower(w, alpha), by)
}

func partOf(w *evidence.Weights, bound float64, by func(reference float64) float64) part {
	p := part{bound: bound, n: w.N(), mean: w.Mean()}
	p.variance = w.Variance() / float64(p.n)
	p.aim(by)
	return p
}

// aim makes the table, with half of its money on the change that the rule asks for.
func (p *part) aim(by func(reference float64) float64) {
	p.table = evidence.NewTable(p.bound, evidence.Aim{Mean: p.mean, SD: math.Sqrt(p.variance * float64(p.n)), By: by(p.mean)})
}

// number makes the index.
func (b *baseline) number() {
	if len(b.cohorts) > 0 {
		b.index = make(map[string]int, len(b.cohorts))
		for i, c := range b.cohorts {
			b.index[c] = i
		}
	}
}

// of is the part that a cohort's scores belong to; -1 for none.
func (b *baseline) of(cohort string) int {
	if i, ok := b.index[cohort]; ok {
		return i
	}
	return b.rest
}

// part is the one that a minute's scores belong to, where parts are hours.
func (b *baseline) part(minute int64) int { return hourOf(minute) / b.hours }

// claim is the whole of a baseline for scores that are mixed in a given way.
type claim struct{ mean, variance, bound float64 }

// mixed are mean and bound of scores of which counts[i] belong to part i; of the scores it was sealed from where counts has
// none.
func (b *baseline) mixed(counts []int64) claim {
	n := 0.0
	for i := range counts {
		n += float64(counts[i])
	}
	var c claim
	total := 0.0
	for i := range b.parts {
		p := &b.parts[i]
		weight := float64(p.n)
		if n > 0 {
			weight = float64(counts[i])
		} else if len(b.parts) == 1 {
			weight = 1
		}
		total += weight
		c.mean += weight * p.mean
		c.bound += weight * level(p)
		c.variance += weight * weight * p.variance
	}
	return claim{c.mean / total, c.variance / (total * total), c.bound / total}
}

// level is the mean that a part's scores are really held against: its bound as the tables round it.
func level(p *part) float64 {
	if p.table == nil {
		return p.bound
	}
	return p.table.M()
}

// cohortKey names a cohort within its prompt version; "" is the total.
func cohortKey(cohort []string) string { return string(windows.AppendKey(nil, cohort...)) }

func (b *baseline) save(dst []byte) []byte {
	dst = appendInts(dst, b.at, b.n, int64(b.rest), int64(b.hours), int64(len(b.parts)))
	dst = appendFloats(windows.AppendKey(dst, b.against), b.mean)
	for i := range b.parts {
		p := &b.parts[i]
		dst = appendFloats(appendInts(dst, p.n), p.bound, p.mean, p.variance)
	}
	return windows.AppendKey(appendInts(dst, int64(len(b.cohorts))), b.cohorts...)
}

func (b *baseline) load(r *reader, by func(reference float64) float64) {
	b.at, b.n, b.rest, b.hours = r.varint(), r.varint(), int(r.varint()), int(r.varint())
	parts := r.varint()
	b.against, b.mean = r.text(), r.float()
	if parts < 1 || parts > maxParts+1 || b.rest < -1 || int64(b.rest) >= parts || b.hours < 0 || b.hours > 0 && int64(b.hours)*parts != evidence.Hours {
		r.bad = true
		return
	}
	for range parts {
		p := part{n: r.varint(), bound: r.float(), mean: r.float(), variance: r.float()}
		r.bad = r.bad || !(p.bound >= 0 && p.bound <= 1 && p.variance >= 0) || math.IsNaN(p.mean)
		p.aim(by)
		b.parts = append(b.parts, p)
	}
	n := r.varint()
	if n < 0 || n > parts {
		r.bad = true
		return
	}
	for range n {
		b.cohorts = append(b.cohorts, r.text())
	}
	b.number()
}
