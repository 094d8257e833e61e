package demo

import (
	"slices"
	"strings"
	"testing"
)

func TestStory(t *testing.T) {
	whole := []step{flowing, fine, promoted, dropped, alarmed, proposed, warned, decided, promoting, rolledBack, mended, recovery, calmed, warnedEnd, counted}
	refused := []step{flowing, fine, promoted, dropped, alarmed, proposed, warned, decided, pending, firing, told, counted}
	but := func(whole []step, skip step) (steps []step) {
		for _, s := range whole {
			if s != skip {
				steps = append(steps, s)
			}
		}
		return steps
	}
	swapped := func(whole []step, a, b step) (steps []step) {
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
	play := func(p path, steps []step) error {
		var s story
		for _, st := range steps {
			if st == decided {
				s.path = p
			}
			s.see(st)
		}
		return s.verdict()
	}

	for p, whole := range map[path][]step{approved: whole, rejected: refused} {
		if err := play(p, whole); err != nil {
			t.Errorf("the whole story: %v", err)
		}
		for st := range numSteps {
			if !slices.Contains(whole, st) {
				if err := play(p, append(slices.Clone(whole), st)); err == nil || !strings.Contains(err.Error(), "nobody asked for") {
					t.Errorf("with %s: %v", script[st].what, err)
				}
				continue
			}
			if err := play(p, but(whole, st)); err == nil || !strings.Contains(err.Error(), "missing: "+script[st].what) && st != decided {
				t.Errorf("without %s: %v", script[st].what, err)
			}
			for _, before := range script[st].after {
				if err := play(p, swapped(whole, before, st)); err == nil || !strings.Contains(err.Error(), "wrong: ") {
					t.Errorf("%s before %s: %v", script[st].what, script[before].what, err)
				}
			}
		}
	}
	quick := []step{flowing, fine, promoted, alarmed, warned, proposed, decided, promoting, rolledBack, dropped, recovery, mended, calmed, warnedEnd, counted}
	if err := play(approved, quick); err != nil {
		t.Errorf("Slack and the registry may come in any order: %v", err)
	}
	if err := play(approved, append(slices.Clone(whole), alarmed)); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("it fires twice: %v", err)
	}
	var s story
	for range 3 * maxWrong {
		s.strayed("something")
	}
	if got := s.verdict().Error(); strings.Count(got, "something") != maxWrong || !strings.Contains(got, "and 20 more") {
		t.Errorf("of many wrong things:\n%s", got)
	}
	if play(approved, nil) == nil {
		t.Error("nothing is a story")
	}
}
