package detector

import (
	"cmp"
	"math"
	"slices"

	"github.com/driftd/driftd/windows"
)

const (
	mostOfIt     = 0.8  // share of the change that one cohort must hold to explain it
	minorPart    = 0.5  // share of the traffic that it may have at most
	beyondPart   = 0.1  // how far a cohort's share of the change must be above its share of the traffic to be told at all
	perDimension = 0.02 // what a description by one more dimension must gain
	maxExplained = 3
	errorsApart  = 3 // standard errors that it must have moved further than the rest: it was found among many
)

// portion is a cohort and what it has to do with a change.
type portion struct {
	cohort  map[string]string
	share   float64 // of the change, 0 to 1
	traffic float64 // of the values, 0 to 1
	own     move    // of itself
	alone   bool    // the rest stood still
}

// apart is the standard error of how much further a portion moved than the rest of all.
func (p *portion) apart(all *move) float64 {
	rest := math.Sqrt(max(all.se*all.se-p.traffic*p.traffic*p.own.se*p.own.se, 0)) / (1 - p.traffic)
	return math.Hypot(p.own.se, rest)
}

func (p *portion) explains() bool { return p.share >= mostOfIt && p.traffic <= minorPart }

// describes says whether dims, values in the order of names, lie in a cohort.
func describes(cohort map[string]string, names, dims []string) bool {
	for i, name := range names {
		if v, ok := cohort[name]; ok && v != dims[i] {
			return false
		}
	}
	return true
}

// portions are the cohorts that have more of a change than of the traffic, the greatest share first; rows are all of the
// version, direction is where the alert says that it went, and scope is the alert's own cohort.
//
// Tried are single values, pairs of values, whole tuples and scope. Of these the one is taken whose share of the change is furthest
// above its share of the traffic, which is the weighted relative accuracy of subgroup discovery (Lavrač, Flach, Zupan, Rule
// Evaluation Measures, 1999) and neither prefers a large cohort that happens to hold the bad one nor a part of the bad one. Then the next
// among those that have no cell in common with it.
//
// The share is a cohort's term of move.rate over all of it. Where one cohort moved and the rest did not, beyond chance, what chance
// did to the rest counts as nothing: a cohort with a hundredth of the traffic could not be seen else.
func portions(names []string, rows []row, direction float64, scope map[string]string) []portion {
	all := moveOf(rows)
	if all.before.N == 0 || all.after.N == 0 {
		return nil
	}
	certain := all.rate*direction > 0 && math.Abs(all.rate) >= 2*all.se
	var tried []portion
	var mine []row
	for _, c := range cohortsOf(names, rows, scope) {
		p := portion{cohort: c.values}
		var term float64
		mine = mine[:0]
		for _, i := range c.rows {
			w, d := rows[i].part(&all)
			mine = append(mine, rows[i])
			p.traffic += w
			term += w * d
		}
		if p.own = moveOf(mine); len(mine) == len(rows) || !p.own.real(direction) {
			continue
		}
		// Where the rest clearly moved too, it need not be looked at.
		elsewhere := (all.rate - term) / (1 - p.traffic)
		if elsewhere*direction < 0.75*p.own.rate*direction {
			p.alone = still(without(rows, c.rows), &p.own)
		}
		switch {
		case p.alone:
			p.share = 1
		case certain && (p.own.rate-elsewhere)*direction >= errorsApart*p.apart(&all):
			p.share = min(max(term/all.rate, 0), 1)
		}
		if p.share-p.traffic >= beyondPart {
			tried = append(tried, p)
		}
	}
	gain := func(p *portion) float64 { return p.share - p.traffic - perDimension*float64(len(p.cohort)) }
	var out []portion
	for len(tried) > 0 && len(out) < maxExplained {
		best := slices.MaxFunc(tried, func(a, b portion) int { return cmp.Compare(gain(&a), gain(&b)) })
		out = append(out, best)
		tried = slices.DeleteFunc(tried, func(p portion) bool { return overlap(p.cohort, best.cohort) })
		if best.alone {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b portion) int { return cmp.Compare(b.share, a.share) })
	return out
}

// still says that rows stood while others moved: all together, and each of them that has enough values. One in twenty is two
// standard errors away by chance, so what they moved must be more than a tenth of the others' move as well to count.
func still(rows []row, effect *move) bool {
	m := moveOf(rows)
	if m.beside(effect, false) != stood || math.Abs(m.rate) >= max(2*m.se, math.Abs(effect.rate)/10) && m.rate != 0 {
		return false
	}
	for i := range rows {
		if one := moveOf(rows[i : i+1]); one.beside(effect, false) == moved {
			return false
		}
	}
	return true
}

// overlap says that a tuple may lie in both cohorts.
func overlap(a, b map[string]string) bool {
	for name, v := range a {
		if w, ok := b[name]; ok && v != w {
			return false
		}
	}
	return true
}

// described is a cohort and the places of its rows.
type described struct {
	values map[string]string
	rows   []int
}

// cohortsOf are the descriptions that are tried, in an order that depends on rows alone.
func cohortsOf(names []string, rows []row, scope map[string]string) (out []described) {
	at := make(map[string]int)
	var key []byte
	add := func(i int, whole []string, dims ...int) {
		key = key[:0]
		for _, d := range dims {
			key = windows.AppendKey(key, names[d], whole[d])
		}
		j, ok := at[string(key)]
		if !ok {
			j = len(out)
			at[string(key)] = j
			values := make(map[string]string, len(dims))
			for _, d := range dims {
				values[names[d]] = whole[d]
			}
			out = append(out, described{values: values})
		}
		out[j].rows = append(out[j].rows, i)
	}
	all := make([]int, len(names))
	for d := range all {
		all[d] = d
	}
	for i := range rows {
		for d := range names {
			add(i, rows[i].dims, d)
			for d2 := range d {
				add(i, rows[i].dims, d2, d)
			}
		}
		if len(names) > 2 {
			add(i, rows[i].dims, all...)
		}
	}
	if len(scope) > 2 && len(scope) < len(names) {
		own := described{values: scope}
		for i := range rows {
			if describes(scope, names, rows[i].dims) {
				own.rows = append(own.rows, i)
			}
		}
		out = append(out, own)
	}
	return out
}

// without are the rows but for those at some places, which are in ascending order.
func without(rows []row, places []int) []row {
	out := make([]row, 0, len(rows)-len(places))
	for i := range rows {
		if len(places) > 0 && places[0] == i {
			places = places[1:]
			continue
		}
		out = append(out, rows[i])
	}
	return out
}
