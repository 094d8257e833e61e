package detector

import (
	"errors"
	"testing"
)

// TestMemoryOfNoBaseline: bytes that say that a series is judged, and not by what, are an error.
func TestMemoryOfNoBaseline(t *testing.T) {
	y := newPlay(t, `
rubrics:
  good: {min: 0, max: 1, better: higher}
groups:
  - name: g
    rules:
      - {alert: Day, rubric: good, drift: {drop: 0.05, against: 24h}}
`)
	y.next(calls("v0", "a", 10, 9))
	k := sequentialOf(y.p.engine.rules[0].kind)
	saved := k.save(nil)
	if err := k.load(saved); err != nil {
		t.Fatal(err)
	}
	for i, b := range saved {
		if b != hasLearner {
			continue
		}
		saved[i] = hasLearner | isWatched
		if err := k.load(saved); err == nil {
			t.Errorf("byte %d says that the series is judged, and it is loaded", i)
		} else if !errors.Is(err, errState) {
			t.Error(err)
		}
		saved[i] = b
	}
}
