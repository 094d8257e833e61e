package rollback

import (
	"fmt"
	"time"

	"github.com/driftd/driftd/detector"
)

// together is how near the onsets of two prompts on one model lie for it to be one event.
const together = 30 * time.Minute

// barred are the steps that no rollback may follow, whatever their rule says: promoting the version before helps only where the
// version is the likely cause. A step without a cause is of a rule that watches no values, or of a time when none was looked for.
func barred(s *detector.Record) *refusal {
	q := &question{s: s}
	for _, g := range []guard{{Guard{Name: "advisory"}, advisory}, {Guard{Name: "everything_moved"}, othersMoved}, {Guard{Name: "model_changed"}, modelChanged}, {Guard{Name: "cause_unclear"}, causeUnclear}} {
		if why := g.refuses(q); why != "" {
			return &refusal{g.Name, why}
		}
	}
	return nil
}

// evidence are the alerts that speak of the version: the attempt's own, or, of one by hand, all that fire for it.
func (q *question) evidence() []*detector.Record {
	if q.a == nil || !q.a.ByHand() {
		return []*detector.Record{q.s}
	}
	var out []*detector.Record
	for _, a := range q.p.firing {
		if r := a.last; r.Version == q.s.Version && watchesValues(r) {
			out = append(out, r)
		}
	}
	return out
}

// watchesValues says that an alert is about how good, fast or dear the calls are, and not about how many there are or what changed.
func watchesValues(r *detector.Record) bool {
	switch r.Kind {
	case "volume", "shape", "change", "traffic_share":
		return false
	}
	return true
}

// othersMoved is what an alert itself says of other versions. A canary is held against the version that serves beside it: what
// moved both does not count for it.
func othersMoved(q *question) string {
	for _, r := range q.evidence() {
		if r.Cause == detector.CauseEverything || r.OtherVersionsMoved && !(r.Kind == "canary" && r.Cause == detector.CausePromptVersion) {
			return fmt.Sprintf("%s is not alone: other versions, or other prompts on its model, moved too", r.Version)
		}
	}
	return ""
}

func everythingMoved(q *question) string {
	if why := othersMoved(q); why != "" {
		return why
	}
	for _, r := range q.evidence() {
		if other := q.alike(r); other != nil {
			return fmt.Sprintf("%s fires too (%s), since %s: it is on %s as well, so it may be the model", other.Prompt, other.Rule, clock(onset(other), q.now), r.Model)
		}
	}
	return ""
}

// alike returns an alert of another prompt on the same model that began at the same time; the first by name of those. Nil is none.
func (q *question) alike(r *detector.Record) (found *detector.Record) {
	if r.Model == "" {
		return nil
	}
	for _, b := range q.books {
		for name, p := range b.prompts {
			if name == r.Prompt || found != nil && name > found.Prompt {
				continue
			}
			for _, a := range p.firing {
				o := a.last
				if o.Model != r.Model || !watchesValues(o) || a.onset().Sub(onset(r)).Abs() > together {
					continue
				}
				if found == nil || name < found.Prompt || o.ID < found.ID {
					found = o
				}
			}
		}
	}
	return found
}

func modelChanged(q *question) string {
	for _, r := range q.evidence() {
		if r.Cause == detector.CauseModelSnapshot {
			return fmt.Sprintf("the model under %s changed%s, and promoting %s does not bring the old one back: pin the model", r.Version, swapped(r), q.s.Previous)
		}
	}
	return ""
}

// swapped says from what to what the model changed, where the alert tells.
func swapped(r *detector.Record) string {
	for _, c := range r.Changed {
		if c.Axis == "model" && c.From != "" {
			return fmt.Sprintf(" from %s to %s", c.From, c.To)
		}
	}
	return ""
}

// causeUnclear is not asked about one by hand: its author has judged.
func causeUnclear(q *question) string {
	if q.a != nil && q.a.ByHand() {
		return ""
	}
	switch q.s.Cause {
	case detector.CausePromptVersion, detector.CauseOneCohort:
		return ""
	}
	return fmt.Sprintf("it is not clear that %s is the cause", q.s.Version)
}
