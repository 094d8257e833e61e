package detector

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A new value of an axis is a fact of the version's traffic, not one record with a wrong attribute, when it has had confirmCalls
// calls and, all the time since the first of them, at least one in strayOne of the version's calls. So five in a row are
// enough where calls are few, five of the newest two hundred at the most, and one in a hundred of a busy prompt's calls never
// is. A value that falls below that begins anew with its next call.
const (
	confirmCalls = 5
	strayOne     = 40
)

// byAccident is how unlikely it must be that what looks like a change is none. Had a new value been there all along with the
// share that it has had since it was first seen, (1−q)^calls is the chance that none of the calls before had it. So a version
// that two models serve from its beginning does not "change" when the second one is first seen.
const byAccident = 1e-6

// A value that has been away for awayTime, and for awayCalls calls of its version, is forgotten: when it comes back it is new.
// Until then it is none, unless it takes over (see race), so that two values that a slow deployment or a flaky route mixes are one
// change.
const (
	awayTime  = 24 * time.Hour
	awayCalls = 200
)

// maxValues is how many values of an axis are kept. One that has more is not an axis (a hash of the filled-in prompt, a request
// id): no change of it is told until awayTime after the last value that there was no room for.
const maxValues = 16

// axis is one attribute of a prompt version's calls.
type axis struct {
	calls   int64     // that have a value
	last    time.Time // end of the newest minute with such
	crowded time.Time // when there was no room for a value; zero: never
	values  []*value
	race    race // of the confirmed values
}

// value is what is known of one.
type value struct {
	name   string
	calls  int64     // that had it
	before int64     // calls of the axis before its first
	seen   time.Time // end of the newest minute with it
	seenAt int64     // calls of the axis up to then

	confirmed bool
	first     time.Time // end of the first minute of the stretch that confirms it
	n, m      int64     // its calls and all in the stretch; 0 outside one
	told      time.Time // when a change to it was confirmed; zero: never

	hour, usual int64 // of variants, see split
}

// count is how many calls of a minute had a value.
type count struct {
	name  string
	calls int64
}

// turn is a change of an axis.
type turn struct {
	from, to string
	first    time.Time // end of the first minute of it
	calls    int64     // with the new value since then

	was, is float64 // share of the new value before and since
}

// add takes a minute's calls, sorted by value, and gives the changes that it confirms: at most one new value for each that came,
// and one that took over.
func (a *axis) add(now time.Time, counts []count) (turns []turn) {
	total := int64(0)
	for _, c := range counts {
		total += c.calls
	}
	if total == 0 {
		return nil
	}
	a.forget(now)
	for _, c := range counts {
		a.meet(now, c.name)
	}
	var fresh []*value
	for _, v := range a.values {
		k := callsOf(counts, v.name)
		if !v.confirmed && v.stretch(now, a.last, k, total) {
			v.confirmed = true
			fresh = append(fresh, v)
		}
		v.calls += k
	}
	a.calls += total
	for _, v := range a.values {
		if callsOf(counts, v.name) > 0 {
			v.seen, v.seenAt = now, a.calls
		}
	}
	slices.SortStableFunc(fresh, func(v, w *value) int { return cmp.Or(cmp.Compare(w.n, v.n), cmp.Compare(v.name, w.name)) })
	for _, v := range fresh {
		if a.isNew(now, v) {
			v.told = now
			turns = append(turns, turn{
				from: a.race.main, to: v.name, first: v.first, calls: v.n,
				was: share(v.calls-v.n, a.calls-v.m), is: share(v.n, v.m),
			})
		}
		a.race.enter(v.name)
	}
	if over, ok := a.race.run(now, counts); ok && over.proven {
		if v := a.find(over.to); v != nil && (v.told.IsZero() || v.told.Before(over.since)) {
			v.told = now
			turns = append(turns, turn{over.from, over.to, over.first, over.calls, over.was, over.is})
		}
	}
	a.last = now
	return turns
}

// stretch takes a minute with k calls of the value among total. It tells whether that confirms the value. last is the minute
// before in which the version had calls: a value that was in it, though too rare to begin a stretch, began there.
func (v *value) stretch(now, last time.Time, k, total int64) bool {
	if v.n == 0 {
		if k == 0 {
			return false
		}
		v.first = now
		if !v.seen.IsZero() && v.seen.Equal(last) {
			v.first = last
		}
	}
	v.n, v.m = v.n+k, v.m+total
	if v.n*strayOne < v.m {
		v.n, v.m = 0, 0
		return false
	}
	return v.n >= confirmCalls
}

// isNew tells whether the value, which has just been confirmed, is a change: there was another one, and it was not there.
func (a *axis) isNew(now time.Time, v *value) bool {
	if !a.race.begun || v.before < confirmCalls || !a.crowded.IsZero() && now.Sub(a.crowded) < awayTime {
		return false
	}
	q := share(v.calls, a.calls-v.before)
	return q == 1 || float64(v.before)*math.Log1p(-q) <= math.Log(byAccident)
}

// meet makes room for a value and notes that it is there.
func (a *axis) meet(now time.Time, name string) {
	if a.find(name) != nil {
		return
	}
	if len(a.values) == maxValues {
		a.crowded = now
		oldest := -1
		for i, v := range a.values {
			if !v.confirmed && (oldest < 0 || v.seen.Before(a.values[oldest].seen)) {
				oldest = i
			}
		}
		if oldest < 0 {
			return
		}
		a.values = slices.Delete(a.values, oldest, oldest+1)
	}
	a.values = append(a.values, &value{name: name, before: a.calls})
}

func (a *axis) find(name string) *value {
	for _, v := range a.values {
		if v.name == name {
			return v
		}
	}
	return nil
}

// forget drops the values that are away for long.
func (a *axis) forget(now time.Time) {
	a.values = slices.DeleteFunc(a.values, func(v *value) bool {
		gone := now.Sub(v.seen) >= awayTime && a.calls-v.seenAt >= awayCalls && !(a.race.begun && v.name == a.race.main)
		if gone {
			a.race.leave(v.name)
		}
		return gone
	})
}

// callsOf are those of one value.
func callsOf(counts []count, name string) int64 {
	if i, ok := slices.BinarySearchFunc(counts, name, func(c count, name string) int { return cmp.Compare(c.name, name) }); ok {
		return counts[i].calls
	}
	return 0
}

// share is part of whole; 0 of nothing.
func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
