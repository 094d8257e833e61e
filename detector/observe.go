package detector

import (
	"cmp"
	"slices"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

const (
	maxObserved   = 200              // alerts in a minute
	maxOfVersion  = 20               // of one rule and version among them, the worst
	closely       = 3 * time.Hour    // after a step of one of its rule and version an alert is observed each minute
	seldom        = 5                // minutes between two observations behind that
	leaving       = time.Hour        // after another version took over it is observed each minute as well
	observed      = 10 * time.Minute // that figures of an observation are of
	observedReads = 20_000           // of a cell over that time, for all observations of a minute: some hundredths of a second
)

// watched is an alert that an observation is due of.
type watched struct {
	*alert
	rule  *rule
	ended bool // in this tick
	place int  // among those of its rule and version, the worst first
	bad   float64
}

// observe appends the observations of a tick: of the alerts that fire and those that end in it, made, as far as their rules allow a
// rollback. Of more than maxObserved the worst of each rule and version come first, then the second, and so on: a rollback is of a
// version, whichever of its cohorts tells how it goes.
//
// Alerts that nobody minds would fill the log, which is kept for long and read from its beginning: those of a version of which nothing is
// new for hours, and whose traffic stays, are observed each fifth minute.
func (e *engine) observe(made []emitted) {
	if e.calls == nil { // no rule allows a rollback
		return
	}
	var all []watched
	add := func(a *alert, ended bool) {
		if a.version == "" || a.order < 0 || e.rules[a.order].Rollback == rules.RollbackOff {
			return
		}
		all = append(all, watched{alert: a, rule: e.rules[a.order], ended: ended, bad: a.last.beyond()})
	}
	for _, a := range e.alerts {
		if a.phase == firing {
			add(a, false)
		}
	}
	for i := range made {
		if a := made[i].ended; a != nil {
			add(a, true)
		}
	}
	slices.SortFunc(all, func(a, b watched) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.prompt, b.prompt), cmp.Compare(a.version, b.version),
			cmp.Compare(b.bad, a.bad), slices.Compare(a.cohort, b.cohort))
	})
	all = e.chosen(all)
	if len(all) > maxObserved {
		ended := func(w *watched) int {
			if w.ended {
				return 0
			}
			return 1
		}
		slices.SortStableFunc(all, func(a, b watched) int {
			return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(ended(&a), ended(&b)), cmp.Compare(b.bad, a.bad))
		})
		all = all[:maxObserved]
	}
	if len(all) == 0 {
		return
	}
	totals := e.axes.totals()
	left := observedReads
	for i := range all {
		left -= e.observation(&all[i], totals, left)
	}
}

// chosen are those of each rule and version that are observed in this minute. All are in the order of rules and versions.
func (e *engine) chosen(all []watched) []watched {
	out := all[:0]
	for len(all) > 0 {
		n, newest := 0, time.Time{}
		for n < len(all) && all[n].order == all[0].order && all[n].prompt == all[0].prompt && all[n].version == all[0].version {
			if at := e.steps.of[all[n].id].at; at.After(newest) {
				newest = at
			}
			all[n].place = n
			n++
		}
		now := e.now.Sub(newest) < closely || e.now.Minute()%seldom == 0 || e.axes.moving(e.store, all[0].prompt, all[0].version)
		for i := range min(n, maxOfVersion) {
			if w := all[i]; now || w.ended {
				out = append(out, w)
			}
		}
		all = all[n:]
	}
	return out
}

// moving tells whether another version seems to take over from this one, or has done so lately.
func (t *axes) moving(s *windows.Store, prompt, version string) bool {
	if _, contested, ok := t.current(prompt, version); ok {
		return contested
	}
	at, contested, ok := t.superseded(s, prompt, version)
	return ok && (contested || t.now.Sub(at) < leaving)
}

// observation appends that of one alert. totals are the calls of prompts in the minute sealed last.
func (e *engine) observation(w *watched, totals map[string]int64, left int) (reads int) {
	rec := e.record(w.alert, w.rule)
	rec.Type, rec.Step, rec.Time, rec.Window = Observed, e.steps.of[w.id].n, e.now, rules.Duration(observed).String()
	if all := totals[w.prompt]; all > 0 {
		part := share(e.axes.minuteCalls(w.prompt, w.version), all)
		rec.Share = &part
	}
	rec.Value, rec.Samples, reads = e.figureOf(w.rule, &rec, w.version, e.now.Add(-observed), 1, left)
	var more int
	rec.Target, more = e.target(w.rule, &rec, e.now.Add(-observed), 1, left-reads)
	e.out = append(e.out, emitted{Record: rec})
	return reads + more
}

// totals are the calls of each prompt in the minute that was sealed last.
func (t *axes) totals() map[string]int64 {
	calls := make(map[string]int64)
	for _, g := range t.view.Fresh() {
		calls[g.Prompt] += g.Count()
	}
	return calls
}

// minuteCalls are those of a version in that minute.
func (t *axes) minuteCalls(prompt, version string) int64 {
	if g := t.view.Find(prompt, version, nil); g != nil {
		return g.Count()
	}
	return 0
}
