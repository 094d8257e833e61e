package alert

import (
	"math"

	"github.com/driftd/driftd/detector"
)

// Family names the alerts that are acknowledged together: the cohorts of one prompt version under one rule, however the
// routes put them into messages.
func Family(r *detector.Record) Key {
	return Key{Group: r.Group, Rule: r.Rule, Prompt: r.Prompt, Version: r.Version}
}

// Acks are the acknowledgements that hold. One holds for all alerts of the family from its record on, until none of them fires
// any more or one of them has become worse by a stated step than the worst was then. While one holds, another changes nothing.
//
// Records of a prompt stand in one partition, so that whoever folds it comes to the same. Acks belong to one goroutine.
type Acks struct {
	untilWorseBy float64
	alerts       map[string]*ackAlert
	families     map[Key]*ackFamily
}

type ackAlert struct {
	family  Key
	step    int
	badness float64
}

type ackFamily struct {
	firing map[string]*ackAlert
	ack    *detector.Record
	worst  float64 // badness at the time of ack
}

// NewAcks returns none. UntilWorseBy is a share of the bound: with 0.2, one on a value 5 % beyond its bound ends at 25 %.
func NewAcks(untilWorseBy float64) *Acks {
	return &Acks{untilWorseBy: untilWorseBy, alerts: map[string]*ackAlert{}, families: map[Key]*ackFamily{}}
}

// Fold takes a record, in the order of its partition; only steps and acknowledgements count. It returns true when the
// acknowledgement of the record's family has begun or ended. The record is kept and must not be changed.
func (s *Acks) Fold(r *detector.Record) (changed bool) {
	switch r.Type {
	case detector.Firing, detector.Resolved:
		return s.step(r)
	case detector.Acknowledged:
		a := s.alerts[r.ID]
		if a == nil {
			return false
		}
		f := s.families[a.family]
		if f == nil || f.ack != nil {
			return false
		}
		f.ack, f.worst = r, 0
		for _, m := range f.firing {
			f.worst = max(f.worst, m.badness)
		}
		return true
	}
	return false
}

func (s *Acks) step(r *detector.Record) (changed bool) {
	a := s.alerts[r.ID]
	if a == nil {
		if r.Type == detector.Resolved {
			return false
		}
		a = &ackAlert{family: Family(r)}
		s.alerts[r.ID] = a
	}
	if r.Step <= a.step {
		return false
	}
	a.step, a.badness = r.Step, badness(r)
	f := s.families[a.family]
	if r.Type == detector.Resolved {
		if f == nil {
			return false
		}
		delete(f.firing, r.ID)
		if len(f.firing) == 0 {
			delete(s.families, a.family)
			return f.ack != nil
		}
		return false
	}
	if f == nil {
		f = &ackFamily{firing: map[string]*ackAlert{}}
		s.families[a.family] = f
	}
	f.firing[r.ID] = a
	if f.ack != nil && a.badness >= f.worst+s.untilWorseBy && a.badness > f.worst {
		f.ack = nil
		return true
	}
	return false
}

// Of returns the acknowledgement that holds for a family, nil where none does.
func (s *Acks) Of(family Key) *detector.Record {
	if f := s.families[family]; f != nil {
		return f.ack
	}
	return nil
}

// Forget drops what is known of an alert.
func (s *Acks) Forget(id string) {
	a := s.alerts[id]
	if a == nil {
		return
	}
	delete(s.alerts, id)
	if f := s.families[a.family]; f != nil {
		if delete(f.firing, id); len(f.firing) == 0 {
			delete(s.families, a.family)
		}
	}
}

// badness is how far beyond its bound an alert's value lies, as a share of the bound; the higher the worse. An empty window,
// which has no value, is worst.
func badness(r *detector.Record) float64 {
	if r.Value == nil {
		return math.Inf(1)
	}
	if r.Bound == nil {
		return 0
	}
	return math.Abs(*r.Value-*r.Bound) / math.Max(math.Abs(*r.Bound), 1e-9)
}
