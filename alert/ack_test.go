package alert

import (
	"testing"

	"github.com/driftd/driftd/detector"
)

func TestAcks(t *testing.T) {
	acks := NewAcks(0.2) // of the bound, which is 0.85: one on 0.80 ends at 0.63
	fold := func(r detector.Record) bool { return acks.Fold(&r) }
	ack := func(id string, step int, who string) detector.Record {
		r := rec(id, step, detector.Firing, 0.8)
		r = Action(&r, detector.Acknowledged, t0)
		r.Actor = who
		return r
	}
	holds := func(what, want string) {
		t.Helper()
		r, got := rec("a1", 1, detector.Firing, 0), ""
		if of := acks.Of(Family(&r)); of != nil {
			got = of.Actor
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	fold(ack("a1", 1, "early"))
	holds("before it fires", "")
	fold(rec("a1", 2, detector.Firing, 0.80))
	if !fold(ack("a1", 2, "jane")) || fold(ack("a1", 2, "joe")) {
		t.Error("the first does not count, or the second does")
	}
	holds("the first", "jane")
	fold(rec("a2", 2, detector.Firing, 0.79))
	holds("a cohort joins", "jane")
	fold(rec("a1", 3, detector.Firing, 0.64))
	holds("somewhat worse", "jane")
	if fold(rec("a1", 3, detector.Firing, 0.10)) {
		t.Error("a repeated step ended it")
	}
	if !fold(rec("a2", 3, detector.Firing, 0.62)) {
		t.Error("worse is no change")
	}
	holds("worse by the step", "")
	fold(ack("a2", 3, "joe"))
	holds("taken on again", "joe")
	fold(rec("a2", 4, detector.Firing, 0.61))
	holds("from the value at that time on", "joe")
	fold(rec("a1", 4, detector.Resolved, 0.9))
	holds("one is over", "joe")
	if !fold(rec("a2", 5, detector.Resolved, 0.9)) {
		t.Error("the end is no change")
	}
	holds("all are over", "")
	fold(rec("a1", 5, detector.Firing, 0.8))
	holds("fires anew", "")
	fold(ack("a1", 5, "jane"))
	acks.Forget("a1")
	holds("forgotten", "")
	if len(acks.families) > 0 || len(acks.alerts) != 1 {
		t.Errorf("%d families, %d alerts are kept", len(acks.families), len(acks.alerts))
	}
}
