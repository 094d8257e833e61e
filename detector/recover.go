package detector

import (
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"time"
)

// History is what the log of alerts says of a partition's past. It takes the place of a checkpoint that is gone or cannot be
// read: the alerts that were left open are known from it, and how far each has been counted, so that a replay of the samples
// neither tells what has been told nor uses a step's number twice.
type History struct {
	until time.Time // of the newest step
	steps steps
	open  map[ID]*Record
}

// NewHistory returns an empty history.
func NewHistory() *History {
	return &History{steps: newSteps(), open: make(map[ID]*Record)}
}

// Add takes a record of the alerts log; actions are passed over.
func (h *History) Add(r *Record) {
	raw, err := hex.DecodeString(r.ID)
	if !r.Type.IsStep() || err != nil || len(raw) != len(ID{}) || r.Step <= h.steps.of[ID(raw)].n {
		return
	}
	id := ID(raw)
	h.steps.of[id] = step{r.Step, r.Time}
	if r.Time.After(h.until) {
		h.until = r.Time
	}
	delete(h.open, id)
	if r.Type != Resolved {
		h.open[id] = r
	}
}

// Until is the event time of the newest step; zero when there is none.
func (h *History) Until() time.Time { return h.until }

// recall puts the engine where the history ends: what it has found itself up to there has been told before. Records do not say since
// when an alert is clear; the engine's own replay of the same minutes does, for those that it has found to be as they were told.
func (e *engine) recall(h *History) error {
	memory := e.memory()
	own, found := e.alerts, e.steps
	e.alerts, e.lost, e.steps = make(map[ID]*alert), nil, h.steps
	for id, r := range h.open {
		a := recalled(id, r)
		switch mine := own[id]; {
		case mine == nil || mine.phase != a.phase:
		case found.of[id].at.Equal(r.Time):
			a = mine
		default: // the log of samples begins later than that of alerts
			a.clear = mine.clear
		}
		e.alerts[id] = a
	}
	return e.resume(memory)
}

// recalled is the alert that a step left.
func recalled(id ID, r *Record) *alert {
	a := &alert{id: id, phase: pending, onset: r.Time, side: under}
	a.prompt, a.version = r.Prompt, r.Version
	for _, name := range slices.Sorted(maps.Keys(r.Cohort)) {
		a.by, a.cohort = append(a.by, name), append(a.cohort, r.Cohort[name])
	}
	a.head = &Record{
		Group: r.Group, Rule: r.Rule, Metric: r.Metric, Kind: r.Kind, Stat: r.Stat, Window: r.Window, Against: r.Against, Above: r.Above, Below: r.Below,
		FalseAlarms: r.FalseAlarms, Rollback: r.Rollback, Labels: r.Labels,
	}
	if r.Type == Firing {
		a.phase = firing
	}
	if r.Onset != nil {
		a.onset = *r.Onset
	}
	a.last = verdict{samples: r.Samples, value: float(r.Value), reference: float(r.Reference), bound: float(r.Bound)}
	if len(r.Interval) == 2 {
		a.last.low, a.last.high = r.Interval[0], r.Interval[1]
	}
	if w := r.Against; w != nil {
		a.last.against, a.last.learned = w.Version, w.Samples
		if w.Sealed != nil {
			a.last.sealed = *w.Sealed
		}
	}
	if (r.Kind == "change" || r.Kind == "traffic_share") && len(r.Changed) > 0 {
		a.last.changed = &r.Changed[0]
	}
	if r.Kind == "change" {
		a.side, a.clear = over, r.Time
	}
	if a.last.value > a.last.bound {
		a.side = over
	}
	return a
}

// float is the inverse of known.
func float(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}
