package demo

import (
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	at := func(s float64) time.Time { return Day.Begin.Add(time.Duration(s * float64(time.Second))) }
	wall := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	p := pacer{begin: Day.Begin, speed: 500, since: wall, step: time.Second}
	for _, c := range []struct {
		what           string
		now, end, want float64
		passed         time.Duration
	}{
		{"too early", 10, 100, 10, 20 * time.Millisecond},
		{"not even a second on", 10, 100, 10, 21900 * time.Microsecond},
		{"as due", 10, 100, 13, 26 * time.Millisecond},
		{"whole seconds", 10, 100, 13, 27900 * time.Microsecond},
		{"behind: at most a step", 10, 100, 20, time.Second},
		{"not past the end", 95, 100, 100, time.Second},
		{"ahead of what is due", 50, 100, 50, 10 * time.Millisecond},
	} {
		if got := p.next(at(c.now), at(c.end), wall.Add(c.passed)); !got.Equal(at(c.want)) {
			t.Errorf("%s: from %gs it goes to %s, want %gs", c.what, c.now, got.Sub(Day.Begin), c.want)
		}
	}
}

// TestNothingIsLate holds the clock to what ingest and detect allow: disorder of ten seconds, and a minute's silence.
func TestNothingIsLate(t *testing.T) {
	if maxStep > 10*time.Second {
		t.Errorf("a step of %s is more disorder than ingest allows", maxStep)
	}
	if maxLead+maxStep >= time.Minute {
		t.Errorf("the clock may be %s ahead of a lane, which detect takes for silence", maxLead+maxStep)
	}
}

func TestClockGoesForward(t *testing.T) {
	c := newClock(Day.Begin)
	c.set(Day.Begin.Add(time.Second))
	if got := c.Now(); !got.Equal(Day.Begin.Add(time.Second)) {
		t.Errorf("it is %s", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("the clock was set back")
		}
	}()
	c.set(Day.Begin)
}
