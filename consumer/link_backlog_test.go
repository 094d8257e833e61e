package consumer_test

import (
	"fmt"
	"testing"
	"time"
)

// Of a topic with little traffic one fetch holds hours. What was read of one topic in one go is still there for the scores that
// were read of the other, whichever was read first.
func TestHoursReadInOneGoAreRememberedForTheirScores(t *testing.T) {
	const total, apart = 600, 60 // ten hours
	spans := func(w *linkWorld) {
		for i := range total {
			w.read("spans", fmt.Sprintf("call t%d s1 @%d prompt=p version=v1", i, i*apart))
		}
	}
	scores := func(w *linkWorld) {
		for i := range total {
			w.read("scores", fmt.Sprintf("score t%d s1 @%d", i, i*apart+29*60))
		}
	}
	tend := func(topic string) func(*linkWorld) {
		return func(w *linkWorld) { w.cores[topic].Tend(w.now, true) }
	}
	for name, steps := range map[string][]func(*linkWorld){
		"spans first":                     {spans, tend("spans"), scores},
		"scores first":                    {scores, tend("scores"), spans},
		"scores taken up, not yet read":   {tend("spans"), spans, scores, tend("scores")},
		"scores read to their end before": {tend("scores"), tend("spans"), spans, tend("spans"), scores, tend("scores")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newLinkWorld(t, usualLinking, "scores", "spans")
			w.now += int64(12 * time.Hour)
			for _, step := range steps {
				step(w)
			}
			w.tend(time.Minute)
			if w.take(); len(w.dead) > 0 || len(w.out) != 2*total {
				t.Errorf("%d samples, %d dead letters, want %d and none", len(w.out), len(w.dead), 2*total)
			}
		})
	}
}

// Once the scores have been read, spans are remembered for no longer than the horizon.
func TestSpansAreForgottenOnceTheirScoresAreRead(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "scores", "spans")
	w.now += int64(12 * time.Hour)
	most := 0
	for i := range 600 {
		w.read("scores", fmt.Sprintf("score t%d s1 @%d", i, i*60+1))
		w.read("spans", fmt.Sprintf("call t%d s1 @%d prompt=p version=v1", i, i*60))
		w.cores["spans"].Tend(w.now, false)
		w.cores["scores"].Tend(w.now, false)
		spans, _ := w.linker.Stats()
		most = max(most, spans)
	}
	if most > 60 {
		t.Errorf("%d spans are remembered, one a minute", most)
	}
}
