package detector

import (
	"cmp"

	"github.com/driftd/driftd/rules"
)

// record is what all records of an alert have in common. r is nil when the rule is gone.
func (e *engine) record(a *alert, r *rule) Record {
	rec := *a.head
	rec.ID, rec.Prompt, rec.Version = a.id.String(), a.prompt, a.version
	if len(a.cohort) > 0 {
		rec.Cohort = make(map[string]string, len(a.cohort))
		for i, v := range a.cohort {
			rec.Cohort[a.by[i]] = v
		}
		rec.Variant = cmp.Or(rec.Cohort["variant"], rec.Variant)
	}
	rec.Reference, rec.Bound = known(a.last.reference), known(a.last.bound)
	onset := a.onset
	rec.Onset = &onset
	if rec.Against != nil {
		with := *rec.Against
		with.Version = cmp.Or(a.last.against, with.Version)
		if with.Samples = a.last.learned; !a.last.sealed.IsZero() {
			sealed := a.last.sealed
			with.Sealed = &sealed
		}
		rec.Against = &with
	}
	switch {
	case a.version == "":
		rec.Rollback = "" // there is no version to go back from
	case r != nil && rec.Rollback != "":
		allowed, from := e.lives.allowed(e.now, r)
		if rec.Rollback = allowed.String(); !from.IsZero() {
			rec.AutoFrom = &from
		}
	}
	if a.version != "" {
		rec.Previous = e.store.Previous(a.prompt, a.version)
	}
	return rec
}

// emit appends the record of a step. r is nil when the rule is gone; its annotations are then gone too. What it returns is good until
// the next record.
func (e *engine) emit(a *alert, happened RecordType, reason string, r *rule, worst func() []string) *emitted {
	rec := e.record(a, r)
	rec.Step, rec.Type, rec.Time, rec.Reason = e.steps.next(a.id, e.now), happened, e.now, reason
	rec.Value, rec.Samples = known(a.last.value), a.last.samples
	if low, high := a.last.low, a.last.high; low < high {
		rec.Interval = []float64{low, high}
	}
	if c := a.last.changed; c != nil {
		rec.Changed = []Changed{*c}
	}
	if worst != nil && a.last.samples > 0 {
		rec.Exemplars = worst()
	}
	e.out = append(e.out, emitted{Record: rec, order: a.order, cohort: a.cohort, rule: r, side: a.side})
	return &e.out[len(e.out)-1]
}

// complete adds to the records of a tick, which are in order, what takes looking at more than their own figures: the likely cause, and the
// annotations, which may tell it.
func (e *engine) complete(made []emitted) {
	left := maxReads - illustrateReads
	for i := range made {
		rec, r := &made[i].Record, made[i].rule
		if r == nil {
			continue
		}
		if rec.Type == Firing {
			left -= e.explain(r, made[i].side, rec, left)
		}
		// An annotation that cannot be filled in stays as its author wrote it, so there is always a text.
		rec.Annotations, _ = rules.Expand(r.Rule, dataOf(r, rec))
	}
	e.illustrate(made, max(left, 0)+illustrateReads)
}

// illustrateReads are the reads of a minute that are kept for what only illustrates: the causes of all alerts come before it.
const illustrateReads = maxReads / 4

// illustrate adds targets and trends to the firing steps of a tick, in their order, as far as left reads allow. Either has half of them,
// and trends what targets have left.
func (e *engine) illustrate(made []emitted, left int) {
	targets := left / 2
	left -= targets
	for i := range made {
		if rec, r := &made[i].Record, made[i].rule; r != nil && rec.Type == Firing {
			var reads int
			rec.Target, reads = e.target(r, rec, e.now.Add(-day), dayReads, targets)
			targets -= reads
		}
	}
	left += targets
	for i := range made {
		if rec, r := &made[i].Record, made[i].rule; r != nil && rec.Type == Firing {
			var reads int
			rec.Trend, reads = e.trend(r, rec, left)
			left -= reads
		}
	}
}

// dataOf is what annotations can say of a record.
func dataOf(r *rule, rec *Record) rules.TemplateData {
	d := rules.TemplateData{
		Rule: rec.Rule, Group: rec.Group, Prompt: rec.Prompt, Version: rec.Version, Previous: rec.Previous,
		Cohort: rec.Cohort, Metric: rec.Metric, Stat: r.Stat(), Value: number(r, rec.Value), Reference: number(r, rec.Reference),
		Bound: number(r, rec.Bound), Samples: rec.Samples, Window: rules.Duration(r.Window()), Onset: rules.Time{Time: *rec.Onset},
		Cause: string(rec.Cause), FalseAlarms: rec.FalseAlarms, Labels: rec.Labels,
	}
	if len(rec.Interval) == 2 {
		d.Interval = rules.Interval{Low: r.NumberOf(rec.Interval[0]), High: r.NumberOf(rec.Interval[1])}
	}
	if r.Change != "" && len(rec.Changed) > 0 {
		d.From, d.To = rec.Changed[0].From, rec.Changed[0].To
	}
	return d
}

func number(r *rule, v *float64) rules.Number {
	if v == nil {
		return rules.Number{}
	}
	return r.NumberOf(*v)
}
