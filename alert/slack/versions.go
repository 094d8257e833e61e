package slack

import (
	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// versions is a small table of the version and the one that it is compared with, or would be replaced by; empty where nothing
// is known of the other.
func versions(n *alert.Notification) string {
	r := &n.Worst().Record
	if r.Version == "" || r.Kind == "change" || r.Kind == "traffic_share" || r.Kind == "shape" || spread(n).versions > 1 {
		return ""
	}
	bad := side{name: r.Version, value: r.Value, samples: r.Samples}
	good := before(r)
	if o := n.Observed; o != nil && o.Version == r.Version {
		bad.share = o.Share
		if t := o.Target; t != nil && t.Value != nil && (good.name == "" || good.name == t.Version) {
			good = side{name: t.Version, value: t.Value, samples: t.Samples, calls: &t.Calls}
		}
	}
	if good.name == "" || good.value == nil && good.calls == nil || bad.value == nil && bad.share == nil {
		return ""
	}
	rows := [][]string{{"", good.name, bad.name}}
	row := func(name string, cell func(*side) string) {
		a, b := cell(&good), cell(&bad)
		if a != none || b != none {
			rows = append(rows, []string{name, a, b})
		}
	}
	row(measure(r), func(s *side) string {
		if s.value == nil {
			return none
		}
		return figure(r, *s.value, 3)
	})
	_, many := phrase.Counted(r)
	row(many, func(s *side) string { return whole(s.samples) })
	row("calls in 24h", func(s *side) string {
		if s.calls == nil {
			return none
		}
		return whole(*s.calls)
	})
	row("share of calls", func(s *side) string {
		if s.share == nil {
			return none
		}
		return percent(*s.share)
	})
	return table(rows)
}

// side is what is known of a version.
type side struct {
	name    string
	value   *float64
	samples int64 // that value is of
	calls   *int64
	share   *float64
}

const none = "–"

// before is the version that r is compared with, with what is known of it: as a target of a rollback, or as the baseline.
func before(r *detector.Record) side {
	var s side
	if a := r.Against; a != nil && a.Version != "" && r.Reference != nil {
		s = side{name: a.Version, value: r.Reference, samples: a.Samples}
	}
	if t := r.Target; t != nil && t.Version != "" && (s.name == "" || s.name == t.Version) {
		s.name, s.calls = t.Version, &t.Calls
		if s.value == nil {
			s.value, s.samples = t.Value, t.Samples
		}
	}
	return s
}

func whole(n int64) string {
	if n == 0 {
		return none
	}
	return number(float64(n), 15)
}
