package demo

import (
	"strings"
	"testing"
)

func TestStory(t *testing.T) {
	whole := []step{flowing, fine, promoted, alarmed, warned, dropped, pending, firing, told, proposed, rolledBack, recovery, calmed, warnedEnd, resolved, mended, toldEnd, counted}
	but := func(skip step) (steps []step) {
		for _, s := range whole {
			if s != skip {
				steps = append(steps, s)
			}
		}
		return steps
	}
	swapped := func(a, b step) (steps []step) {
		for _, s := range whole {
			switch s {
			case a:
				s = b
			case b:
				s = a
			}
			steps = append(steps, s)
		}
		return steps
	}
	play := func(steps []step) error {
		var s story
		for _, st := range steps {
			s.see(st)
		}
		return s.verdict()
	}

	if len(whole) != int(numSteps) {
		t.Fatalf("%d of %d steps", len(whole), numSteps)
	}
	if err := play(whole); err != nil {
		t.Errorf("the whole story: %v", err)
	}
	quick := []step{flowing, fine, promoted, dropped, alarmed, pending, warned, firing, proposed, rolledBack, recovery, told, resolved, calmed, toldEnd, mended, warnedEnd, counted}
	if err := play(quick); err != nil {
		t.Errorf("Slack and the registry may come in any order: %v", err)
	}
	for skip := range numSteps {
		if err := play(but(skip)); err == nil || !strings.Contains(err.Error(), "missing: "+script[skip].what) {
			t.Errorf("without %s: %v", script[skip].what, err)
		}
	}
	for st := range numSteps {
		for _, before := range script[st].after {
			if err := play(swapped(before, st)); err == nil || !strings.Contains(err.Error(), "wrong: ") {
				t.Errorf("%s before %s: %v", script[st].what, script[before].what, err)
			}
		}
	}
	if err := play(append(whole, firing)); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("it fires twice: %v", err)
	}
	var s story
	for range 3 * maxWrong {
		s.strayed("something")
	}
	if got := s.verdict().Error(); strings.Count(got, "something") != maxWrong || !strings.Contains(got, "and 20 more") {
		t.Errorf("of many wrong things:\n%s", got)
	}
	if play(nil) == nil {
		t.Error("nothing is a story")
	}
}
