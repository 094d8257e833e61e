package detector

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// liveKept is how long a rule that is gone is remembered: one that comes back meanwhile goes on as if it had not been away.
const liveKept = 7 * 24 * time.Hour

// lives is since when rules have been live in a partition, by the names of group and rule: since the first tick at which their windows had
// something in them. What else of a rule changes does not matter. A partition that starts from an older log counts from its beginning.
type lives map[ruleName]life

type ruleName struct{ group, rule string }

// life is that of one rule.
type life struct {
	since time.Time
	gone  time.Time // tick from which on there was no such rule; zero while there is one
}

func (r *rule) name() ruleName { return ruleName{r.group.Name, r.Alert} }

// tick begins the lives of rules that have data for the first time, and once an hour forgets those that are gone for long.
func (l lives) tick(now time.Time, all []*rule) {
	for _, r := range all {
		if _, ok := l[r.name()]; !ok && r.hasData() {
			l[r.name()] = life{since: now}
		}
	}
	if now.Minute() != 0 {
		return
	}
	there := make(map[ruleName]bool, len(all))
	for _, r := range all {
		there[r.name()] = true
	}
	for name, one := range l {
		switch {
		case there[name]:
			one.gone = time.Time{}
		case one.gone.IsZero():
			one.gone = now
		case now.Sub(one.gone) > liveKept:
			delete(l, name)
			continue
		}
		l[name] = one
	}
}

func (r *rule) hasData() bool {
	return r.seen != nil && slices.ContainsFunc(r.seen.Groups(), func(g *windows.Group) bool { return g.Count() > 0 })
}

// allowed gives what the rule allows at event time now, and for one that waits until it may do so by itself, from when on.
func (l lives) allowed(now time.Time, r *rule) (rollback rules.Rollback, from time.Time) {
	if r.Rollback != rules.RollbackAuto || r.AutoAfter == 0 {
		return r.Rollback, time.Time{}
	}
	since := now
	if one, ok := l[r.name()]; ok {
		since = one.since
	}
	if from = since.Add(r.AutoAfter); now.Before(from) {
		return rules.RollbackApprove, from
	}
	return rules.RollbackAuto, time.Time{}
}

func (l lives) save(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(l)))
	for _, name := range slices.SortedFunc(maps.Keys(l), func(a, b ruleName) int {
		if c := strings.Compare(a.group, b.group); c != 0 {
			return c
		}
		return strings.Compare(a.rule, b.rule)
	}) {
		dst = windows.AppendKey(dst, name.group, name.rule)
		dst = appendMinute(appendMinute(dst, l[name].since), l[name].gone)
	}
	return dst
}

func (l lives) load(r *reader) {
	clear(l)
	for range r.count() {
		name := ruleName{r.text(), r.text()}
		l[name] = life{r.minute(), r.minute()}
	}
}
