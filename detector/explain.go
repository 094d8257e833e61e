package detector

import (
	"cmp"
	"maps"
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
)

// portion is a cohort and what it has to do with a change.
type portion struct {
	cohort  map[string]string
	share   float64 // of the change, 0 to 1
	traffic float64 // of the values, 0 to 1
	own     move    // of itself
	alone   bool    // the rest stood still
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
	for _, cohort := range cohortsOf(names, rows, scope) {
		in := func(r *row) bool { return describes(cohort, names, r.dims) }
		p := portion{cohort: cohort}
		var term float64
		var mine, rest []row
		for i := range rows {
			w, d := rows[i].part(&all)
			if !in(&rows[i]) {
				rest = append(rest, rows[i])
				continue
			}
			mine = append(mine, rows[i])
			p.traffic += w
			term += w * d
		}
		if p.own = moveOf(mine); !p.own.real(direction) || len(rest) == 0 {
			continue
		}
		p.alone = still(rest, &p.own)
		switch {
		case p.alone:
			p.share = 1
		case certain:
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

// still says that rows stood while others moved: all together, and each of them that has enough values.
func still(rows []row, effect *move) bool {
	m := moveOf(rows)
	if m.beside(effect, false) != stood || math.Abs(m.rate) >= 2*m.se && m.rate != 0 {
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

// cohortsOf are the descriptions that are tried, in an order that depends on rows alone.
func cohortsOf(names []string, rows []row, scope map[string]string) (out []map[string]string) {
	seen := make(map[string]bool)
	add := func(cohort map[string]string) {
		key := describedBy(cohort)
		if len(cohort) > 0 && !seen[key] {
			seen[key] = true
			out = append(out, cohort)
		}
	}
	for i := range rows {
		dims := rows[i].dims
		whole := make(map[string]string, len(names))
		for j, name := range names {
			whole[name] = dims[j]
			add(map[string]string{name: dims[j]})
			for k := range j {
				add(map[string]string{name: dims[j], names[k]: dims[k]})
			}
		}
		add(whole)
	}
	add(scope)
	return out
}

func describedBy(cohort map[string]string) string {
	var key []byte
	for _, name := range slices.Sorted(maps.Keys(cohort)) {
		key = windows.AppendKey(key, name, cohort[name])
	}
	return string(key)
}
