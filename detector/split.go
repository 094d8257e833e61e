package detector

import "time"

// The share of a variant has changed when the share that it had of the version's calls in an hour of the clock differs from that
// of the hours before by more than chance gives once in a million comparisons (see byChance), and by at least a tenth of
// all calls: users come and go with all their calls, which is more than chance.
const leastMove = 0.1

// usualHours is how long the hours before count: each hour takes away its share.
const usualHours = 24

// endHour compares the hour that is over with those before it, and adds it to them. It gives the variant whose share rose most,
// if that is a change, with its shares.
func (a *axis) endHour(now time.Time) (from, to string, calls int64, ok bool) {
	var hour, usual int64
	for _, v := range a.values {
		hour, usual = hour+v.hour, usual+v.usual
	}
	if hour == 0 {
		return "", "", 0, false
	}
	var most *value
	move := max(leastMove, byChance(hour, usual, byAccident))
	for _, v := range a.values {
		if m := share(v.hour, hour) - share(v.usual, usual); v.confirmed && m >= move {
			most, move = v, m
		}
	}
	if most != nil {
		from, to, calls, ok = shareOf(most.name, share(most.usual, usual)), shareOf(most.name, share(most.hour, hour)), most.hour, true
		most.told = now
	}
	for _, v := range a.values {
		if ok {
			v.usual = 0
		}
		v.usual += v.hour - v.usual/usualHours
		v.hour = 0
	}
	return from, to, calls, ok
}

// countHour counts a minute's calls.
func (a *axis) countHour(counts []count) {
	for _, v := range a.values {
		v.hour += callsOf(counts, v.name)
	}
}

// restartSplit begins to learn the usual shares anew.
func (a *axis) restartSplit() {
	for _, v := range a.values {
		v.hour, v.usual = 0, 0
	}
}

func shareOf(variant string, share float64) string {
	if variant == "" {
		variant = "no variant"
	}
	return variant + " " + percent(share)
}
