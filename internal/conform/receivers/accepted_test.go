package receivers

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// Whatever stands in a record, what is sent keeps the documented schema and limits.
func FuzzAccepted(f *testing.F) {
	f.Add("citation_grounding", "threshold", "mean", "enterprise", 0.78, int64(412), uint8(1), false)
	f.Add("", "", "", "", 0.0, int64(0), uint8(0), true)
	f.Add(strings.Repeat("very long ", 500), "drift", "p95", "a\x00b\xff\u202e", 1e300, int64(-1), uint8(255), false)
	f.Add("<b>&*_`|>", "change", "sum", "\"\\\n", -0.0001, int64(1), uint8(60), true)
	f.Fuzz(func(t *testing.T, name, kind, stat, value string, figure float64, samples int64, many uint8, resolved bool) {
		n := notification(name, kind, stat, value, figure, samples, int(many)%40, resolved)
		for _, s := range subjects() {
			w := &Wire{Peer: s.peer()}
			r := s.open(w, metrics.NewSet(), slog.New(slog.NewTextHandler(io.Discard, nil)))
			if _, err := r.Deliver(t.Context(), n); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			if p := w.Peer.(Peer).Problems(); len(p) > 0 {
				t.Errorf("%s: %q", s.name, p)
			}
		}
	})
}

// notification is of a group of 1 + many alerts that have these texts and figures everywhere.
func notification(name, kind, stat, value string, figure float64, samples int64, many int, resolved bool) *alert.Notification {
	at := time.Now().UTC()
	n := &alert.Notification{Key: alert.Key{Group: name, Rule: name, Prompt: value, Version: stat}}
	for i := range 1 + many {
		r := detector.Record{
			ID: "9f3c", Step: 1 + i, Type: detector.Firing, Time: at, Group: name, Rule: "R" + name, Prompt: value, Version: stat, Variant: value, Metric: name,
			Rubric: value, Kind: kind, Stat: stat, Value: &figure, Bound: &figure, Reference: &figure, Interval: []float64{figure, figure}, Samples: samples,
			Window: value, Onset: &at, FalseAlarms: stat, Against: &detector.Against{Kind: kind, Version: value}, Cause: detector.Cause(value),
			Because: []string{value, name, value, name}, Changed: []detector.Changed{{Axis: name, From: value, To: name, Time: at}}, Previous: value,
			Exemplars: []string{value, "5b8e", name}, Reason: value, Labels: map[string]string{name: value, "severity": value, "a": name},
			Annotations: map[string]string{name: value, "summary": value, "description": name, "runbook_url": value},
		}
		if i > 0 {
			r.Cohort = map[string]string{name: value, "tier": strings.Repeat("x", i)}
		}
		m := alert.Member{Record: r, Since: at.Add(-time.Hour)}
		if resolved {
			m.Record.Type = detector.Resolved
			n.Resolved = append(n.Resolved, m)
		} else {
			n.Firing = append(n.Firing, m)
		}
	}
	action := alert.Action(&n.Worst().Record, detector.RollbackPromoted, at)
	action.Reason = name
	n.Rollback = &action
	return n
}
