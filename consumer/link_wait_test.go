package consumer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/windows"
)

func TestScoresWaitForSpansOfAnotherTopic(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "scores", "spans")
	says := func(when string, waiting int, out ...string) {
		t.Helper()
		w.cores["spans"].Tend(w.now, false)
		w.cores["scores"].Tend(w.now, false)
		w.take()
		if got := w.cores["scores"].Waiting(); got != waiting || !slices.Equal(w.out, out) || len(w.dead) > 0 {
			t.Fatalf("%s: %d wait, samples %q, dead %q; want %d, %q", when, got, w.out, w.dead, waiting, out)
		}
		w.out = nil
	}
	w.read("scores", "score t1 s2 @5", "score t9 s9 @60 prompt=x version=v1", "score t9 s9 @60 prompt=x version=v1")
	says("nothing was read of the spans", 3)
	w.read("spans", "call t1 s2<s1 @4", "span t1 s1 @4 prompt=p version=v1")
	says("the call waits itself", 3)
	w.read("spans", "span t8 s1 @14", "span t8 s0 @14")
	says("the call is linked, its time is passed, but a straggler may come", 3, "call p/v1//")
	w.read("spans", "call t8 s2 @14.9 prompt=q version=v1", "call t8 s3 @15.1", "span t8 s5 @15.2")
	says("spans go on, but one of them waits", 3, "call q/v1//")
	w.read("spans", "span t8 s4 @26", "span t8 s6 @26")
	says("the spans have passed the score's time and the slack", 0, "score p/v1//", "score x/v1//", "score x/v1//")
}

func TestScoresDoNotWaitForTopicsWithoutSpans(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "other", "scores", "spans")
	w.read("spans", "call t1 s1 @4 prompt=p version=v1", "call t2 s1 @60 prompt=p version=v1", "call t2 s2 @60 prompt=p version=v1")
	w.read("other", "score t1 @5 prompt=x version=v1")
	w.read("scores", "score t1 s1 @5", "score t1 s1 @70 prompt=y version=v1", "score t1 s1 @70 prompt=y version=v1")
	for _, topic := range []string{"other", "spans", "scores"} {
		w.cores[topic].Tend(w.now, topic == "other")
	}
	if n := w.cores["scores"].Waiting(); n != 0 {
		t.Errorf("%d scores wait", n)
	}
}

// Scores that come with the first spans of a topic wait for these, though none stood there when it was last looked at.
func TestScoresWaitForTheFirstSpansOfATopic(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "other", "scores", "spans")
	w.tend(time.Second) // nothing stands anywhere
	w.now += 1e9
	w.read("scores", "score t1 s1 @5", "score t9 s9 @70 prompt=x version=v1", "score t9 s9 @70 prompt=x version=v1")
	w.cores["scores"].Tend(w.now, false)
	w.expect("before the spans are looked at again")
	w.read("spans", "call t1 s1 @4 prompt=p version=v1", "call t2 s1 @70 prompt=p version=v1", "call t2 s2 @70 prompt=p version=v1")
	w.cores["spans"].Tend(w.now, false)
	w.cores["scores"].Tend(w.now, false)
	w.expect("before the other topic is looked at again", "call p/v1//", "call p/v1//", "call p/v1//")
	w.cores["other"].Tend(w.now, true)
	w.cores["scores"].Tend(w.now, false)
	w.expect("when both have been", "score p/v1//", "score x/v1//", "score x/v1//")
}

func TestSilentSpansLetScoresGo(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "scores", "spans")
	w.now = linkStart + 5e9
	w.read("spans", "call t1 s1 @4 prompt=p version=v1")
	w.read("scores", "score t1 s1 @5")
	w.tend(14 * time.Second)
	if w.take(); len(w.out) != 1 {
		t.Errorf("after 14 s of silence: %q", w.out)
	}
	w.tend(10 * time.Second) // what is 15 s old has come by then
	if w.take(); len(w.out) != 1 {
		t.Errorf("after 24 s of silence: %q", w.out)
	}
	w.tend(time.Second)
	if w.take(); len(w.out) != 2 || len(w.dead) > 0 {
		t.Errorf("after 25 s of silence: %q, %q", w.out, w.dead)
	}
}

func TestDelayHoldsWatermarkAndCommitBack(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "spans")
	core := w.cores["spans"]
	watermark := func() int64 {
		t.Helper()
		core.Beat(nil)
		core.Beat(nil) // the first passes over lanes that had samples
		var b windows.Batch
		waves, _, _ := core.Cut(w.now, false)
		if err := b.Decode(waves[len(waves)-1][0].Value); err != nil {
			t.Fatal(err)
		}
		return (b.Watermark - linkStart) / 1e9
	}
	w.read("spans", "call t1 s1 @100 prompt=p version=v1", "call t1 s2<s9 @101", "call t1 s3 @105 prompt=p version=v1")
	if _, _, next := core.Cut(w.now, false); next != 1 {
		t.Errorf("commits %d, want 1: the second event waits", next)
	}
	if got := watermark(); got != 90 {
		t.Errorf("watermark %d, want 90: what waits is of 101 and may be 10 s late", got)
	}
	w.read("spans", "span t1 s8 @111", "span t1 s9 @111")
	if _, _, next := core.Cut(w.now, false); next != 5 {
		t.Errorf("commits %d, want 5", next)
	}
	if got := watermark(); got != 101 {
		t.Errorf("watermark %d, want 101", got)
	}
}

func TestBrokenRecordLeavesNothing(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "spans")
	w.read("spans", "call t1 s2<s1 @5")
	w.cores["spans"].Add(1, append(linkEvent("span t1 s1 @6 prompt=p version=v1"), '!'), w.now)
	w.next["spans"] = 2
	w.tend(time.Minute)
	if w.take(); len(w.out) != 0 || len(w.dead) != 1 {
		t.Errorf("samples %q, dead letters %q", w.out, w.dead)
	}
}

// A trace of any size takes bounded memory and time: ancestors are found, the rest is told.
func TestHugeTraceIsBounded(t *testing.T) {
	n := 200_000
	if testing.Short() {
		n = 20_000
	}
	l := usualLinking
	l.Memory = 4 << 20
	w := newLinkWorld(t, l, "spans")
	for i := range n {
		w.read("spans", fmt.Sprintf("span t1 s%d<s%d @5 prompt=p version=v1", i, i+1))
	}
	w.read("spans", "call t1 sx<s1 @6", "call t1 sy<sz @6", "call t2 s2<s1 @6", "span t2 s1 @7 prompt=q version=v1")
	w.tend(time.Minute)
	calls, _, _ := w.cores["spans"].Counted()
	if got := fmt.Sprint(calls); got != "map[crowded:1 linked:2]" {
		t.Errorf("calls: %s", got)
	}
	if _, bytes := w.linker.Stats(); bytes > 4<<20 {
		t.Errorf("%d bytes are remembered", bytes)
	}
}

func TestLinkMemoryIsBounded(t *testing.T) {
	n := 60_000
	if testing.Short() {
		n = 20_000
	}
	l := usualLinking
	l.Memory = 1 << 20
	w := newLinkWorld(t, l, "spans")
	most := 0
	for i := range n {
		w.read("spans", fmt.Sprintf("call t%d s1 @%d prompt=p%d version=v1", i, i/1000, i%5000), fmt.Sprintf("span t%d s2<s1 @%d tier=%d", i, i/1000, i))
		if i%100 == 0 {
			_, bytes := w.linker.Stats()
			most = max(most, bytes)
		}
	}
	if spans, _ := w.linker.Stats(); most > 1<<20 || spans < 1000 { // most of it is labels
		t.Errorf("%d bytes at most, %d spans", most, spans)
	}
	w.read("spans", "call tx s2<s1 @70", "span tx s1 @71 prompt=q version=v1", fmt.Sprintf("score t%d s1 @72", n-1), "score t1 s1 @72")
	w.cores["spans"].Drop(w.now)
	w.tend(time.Minute)
	if w.take(); !slices.Equal(w.out, []string{"call q/v1//", "score p4999/v1//"}) || len(w.dead) != 1 {
		t.Errorf("samples %q, dead %q", w.out, w.dead)
	}
}

func TestFullLineIsNotHeldForever(t *testing.T) {
	l := usualLinking
	l.Memory = 1 << 20 // a quarter for the line
	w := newLinkWorld(t, l, "spans")
	for i := range 10_000 { // all of one second
		w.read("spans", fmt.Sprintf("call t%d s2<s1 @5 model=%s", i, strings.Repeat("m", 100)))
	}
	if n := w.cores["spans"].Waiting(); n > 2000 || w.cores["spans"].Blocked() {
		t.Errorf("%d events wait", n)
	}
	w = newLinkWorld(t, l, "scores", "spans")
	n := 0
	for ; n < 10_000 && !w.cores["scores"].Blocked(); n++ {
		w.read("scores", fmt.Sprintf("score t%d s1 @%d", n, n/10))
	}
	if n == 10_000 {
		t.Fatal("scores that wait for their spans are read on and on")
	}
	for i := range n {
		w.read("spans", fmt.Sprintf("call t%d s1 @%d prompt=p version=v1", i, i/10))
	}
	w.tend(time.Minute)
	w.take()
	if len(w.out) != 2*n || len(w.dead) > 0 || w.cores["scores"].Blocked() {
		t.Errorf("%d samples, %d dead letters, want %d and none", len(w.out), len(w.dead), 2*n)
	}
}

// Two topics that hold both spans and scores wait for each other's spans, never for each other's scores.
func TestTopicsWithSpansAndScoresDoNotWaitInACircle(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "a", "b")
	for i := range 400 {
		at := float64(i) / 4
		for _, topic := range []string{"a", "b"} {
			w.read(topic, fmt.Sprintf("score t%s%d s1 @%g", topic, i, at), fmt.Sprintf("call t%s%d s1<s2 @%g", topic, i, at),
				fmt.Sprintf("span t%s%d s2 @%g prompt=p version=v1", topic, i, at+1))
		}
		for _, topic := range []string{"a", "b"} {
			w.cores[topic].Tend(w.now, false)
		}
	}
	if a, b := w.cores["a"].Waiting(), w.cores["b"].Waiting(); a > 300 || b > 300 {
		t.Errorf("%d and %d events wait at the end", a, b)
	}
	w.tend(time.Minute)
	w.tend(time.Minute)
	if w.take(); len(w.out) != 1600 || len(w.dead) > 0 {
		t.Errorf("%d samples, %d dead letters, want 1600 and none", len(w.out), len(w.dead))
	}
}

func TestCallsWaitForSpansOfAnotherTopic(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "a", "b")
	w.read("a", "call t1 s1<s2 @5", "span t2 s1 @60", "span t2 s2 @60")
	w.read("b", "span t3 s1 @1", "span t3 s2 @1")
	for range 2 {
		w.cores["b"].Tend(w.now, false)
		w.cores["a"].Tend(w.now, false)
	}
	if n := w.cores["a"].Waiting(); n != 1 {
		t.Fatalf("%d events wait, want the call", n)
	}
	w.read("b", "span t1 s2 @6 prompt=p version=v1", "span t3 s3 @16", "span t3 s4 @16")
	w.cores["b"].Tend(w.now, false)
	w.cores["a"].Tend(w.now, false)
	if w.take(); !slices.Equal(w.out, []string{"call p/v1//"}) {
		t.Errorf("samples %q", w.out)
	}
}

func TestSpansWaitForScoresThatAreFarBehind(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "scores", "spans")
	w.now += int64(3 * time.Hour)
	total, seen := 2000, 0 // of two hours: a backlog after an outage
	w.read("scores", "score t0 s1 @0", "score t0 s1 @1 prompt=x version=v1")
	w.cores["scores"].Tend(w.now, false)
	for i := 0; seen < total; i++ {
		if i > 100*total {
			t.Fatal("nothing moves any more")
		}
		for range 7 { // spans are read faster than scores
			if seen < total && !w.cores["spans"].Blocked() {
				w.read("spans", fmt.Sprintf("call t%d s1 @%d prompt=p version=v1", seen, seen*4))
				seen++
			}
			w.cores["spans"].Tend(w.now, false)
		}
		if n := int(w.next["scores"]) - 1; n < total && !w.cores["scores"].Blocked() {
			w.read("scores", fmt.Sprintf("score t%d s1 @%d", n, n*4+2))
		}
		w.cores["scores"].Tend(w.now, false)
	}
	for n := int(w.next["scores"]) - 1; n < total; n++ {
		w.read("scores", fmt.Sprintf("score t%d s1 @%d", n, n*4+2))
		w.cores["scores"].Tend(w.now, false)
	}
	w.tend(time.Minute)
	if w.take(); len(w.dead) > 0 || len(w.out) != 2*total+1 {
		t.Errorf("%d samples, %d dead letters, want %d and none; the first: %q", len(w.out), len(w.dead), 2*total+1, w.dead[:1])
	}
}

func TestUnreadablePartnerIsNotHiddenByHeartbeats(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "scores", "spans")
	w.read("spans", "call t1 s1 @4 prompt=p version=v1")
	w.read("scores", "score t1 s1 @5", "score t1 s1 @60 prompt=x version=v1", "score t1 s1 @60 prompt=x version=v1")
	if w.cores["scores"].Stuck() {
		t.Error("a partition that is read is taken for one that is not")
	}
	w.cores["spans"].Failing(true)
	if !w.cores["scores"].Stuck() {
		t.Error("scores wait for a partition that cannot be read, as if it were")
	}
	w.cores["spans"].Failing(false)
	w.tend(time.Minute)
	if w.take(); len(w.out) != 4 || len(w.dead) > 0 {
		t.Errorf("samples %q, dead letters %q", w.out, w.dead)
	}
}

func TestEndOfALineageLosesNothing(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "scores", "spans")
	w.read("spans", "span t1 s1 @4 prompt=p version=v1", "call t1 s2<s1 @5", "call t2 s1 @5")
	w.read("scores", "score t9 s1 @5")
	w.cores["spans"].End(w.now)
	w.cores["scores"].End(w.now)
	if w.take(); !slices.Equal(w.out, []string{"call p/v1//"}) || len(w.dead) != 1 || w.cores["spans"].Waiting()+w.cores["scores"].Waiting() > 0 {
		t.Errorf("samples %q, dead letters %q", w.out, w.dead)
	}
}

func TestOneClockInTheFutureDoesNotBreakLinks(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "spans")
	for i := range 100 {
		if i == 50 {
			w.read("spans", "call tx s1 @290 prompt=q version=v1")
		}
		w.read("spans", fmt.Sprintf("call t%d s2<s1 @%d", i, i), fmt.Sprintf("span t%d s1 @%d.5 prompt=p version=v1", i, i))
	}
	w.read("spans", "span ty s1 @120", "span ty s2 @120")
	if n := w.cores["spans"].Waiting(); n > 0 {
		t.Errorf("%d events wait", n)
	}
	if calls, _, _ := w.cores["spans"].Counted(); fmt.Sprint(calls) != "map[linked:100]" {
		t.Errorf("calls: %v", calls)
	}
}
