package compare

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/chaos/oracle"
)

// steps compares the steps of all alerts, one alert after the other.
func (d *differ) steps() {
	want, got := make(map[string][]*oracle.Step), make(map[string][]*detector.Record)
	for i := range d.want.Steps {
		s := &d.want.Steps[i]
		want[s.Alert()] = append(want[s.Alert()], s)
	}
	ids := make(map[string]string)
	for i := range d.got.Steps {
		r := &d.got.Steps[i]
		if r.Kind != "threshold" || r.Time.After(d.want.Until) {
			continue
		}
		if d.got.Hidden != nil && d.got.Hidden(oracle.Cell{Prompt: r.Prompt, Version: r.Version}) {
			continue
		}
		name := alertOf(r)
		got[name] = append(got[name], r)
		if was, known := ids[name]; known && was != r.ID {
			d.r.note(&d.r.AlertsWrong, 1, "alert wrong: %s has two identities, %s and %s", name, was, r.ID)
		}
		ids[name] = r.ID
	}
	for _, text := range d.got.Altered {
		d.r.note(&d.r.AlertsWrong, 1, "alert wrong: %s", text)
	}
	names := maps.Clone(ids)
	for name := range want {
		names[name] = ""
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d.alert(want[name], got[name])
	}
}

func alertOf(r *detector.Record) string {
	s := oracle.Step{Group: r.Group, Rule: r.Rule, Prompt: r.Prompt, Version: r.Version, Cohort: r.Cohort}
	return s.Alert()
}

// moment is what makes a step that step.
type moment struct {
	kind, reason string
	at           int64
}

func (d *differ) alert(want []*oracle.Step, got []*detector.Record) {
	came := make(map[moment]*detector.Record)
	for _, r := range got {
		m := moment{string(r.Type), r.Reason, r.Time.UnixNano()}
		if before := came[m]; before != nil {
			d.r.note(&d.r.AlertsDoubled, 1, "alert doubled: %s, before it was step %d", Told(r), before.Step)
			continue
		}
		came[m] = r
	}
	for _, s := range want {
		m := moment{s.Type, s.Reason, s.Time.UnixNano()}
		r := came[m]
		if r == nil {
			d.r.note(&d.r.AlertsMissing, 1, "alert missing: %v", s)
			continue
		}
		delete(came, m)
		if what := other(s, r); what != "" {
			d.r.note(&d.r.AlertsWrong, 1, "alert wrong: %s: %s; want %v", Told(r), what, s)
		}
	}
	for _, r := range got {
		if came[moment{string(r.Type), r.Reason, r.Time.UnixNano()}] == r {
			d.r.note(&d.r.AlertsWrong, 1, "alert that should not be: %s", Told(r))
		}
	}
}

// other tells what a step says that it should not.
func other(s *oracle.Step, r *detector.Record) string {
	switch {
	case r.Step != s.Number:
		return fmt.Sprintf("number %d", r.Step)
	case r.Samples != s.Samples:
		return fmt.Sprintf("%d samples", r.Samples)
	case (r.Value == nil) != (s.Value == nil):
		return "with a value, or without"
	case r.Value != nil && !s.Value.Has(*r.Value):
		return fmt.Sprintf("value %v", *r.Value)
	case r.Bound == nil || *r.Bound != s.Bound:
		return "another bound"
	case r.Onset == nil || !r.Onset.Equal(s.Onset):
		return fmt.Sprintf("onset %v", r.Onset)
	}
	return ""
}

// Told is a step of driftd's as the oracle's are told.
func Told(r *detector.Record) string {
	s := oracle.Step{
		Group: r.Group, Rule: r.Rule, Prompt: r.Prompt, Version: r.Version, Cohort: r.Cohort, Number: r.Step, Type: string(r.Type), Reason: r.Reason,
		Time: r.Time, Samples: r.Samples,
	}
	if r.Value != nil {
		s.Value = &oracle.Range{Low: *r.Value, High: *r.Value}
	}
	if s.Onset = (time.Time{}); r.Onset != nil {
		s.Onset = *r.Onset
	}
	return fmt.Sprintf("%v (%s)", &s, r.ID)
}
