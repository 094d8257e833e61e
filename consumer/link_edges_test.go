package consumer_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
)

func (w *linkWorld) expect(what string, out ...string) {
	w.t.Helper()
	if w.take(); !slices.Equal(w.out, out) || len(w.dead) > 0 {
		w.t.Errorf("%s: samples %q, dead letters %q; want %q", what, w.out, w.dead, out)
	}
	w.out, w.dead = nil, nil
}

// A night without calls lies between a trace and what comes next.
func TestQuietHoursTakeNothingFromCallsThatWait(t *testing.T) {
	for _, hours := range []int{0, 1, 24} {
		w := newLinkWorld(t, usualLinking, "spans")
		w.now += int64(30 * time.Hour)
		next := 60 + hours*3600
		w.read("spans", "call t1 s3<s2 @5", "span t1 s2<s1 @5", "span t1 s1 @6 tier=gold", "span t1 s4<s1 @6 prompt=p version=v1",
			fmt.Sprintf("span t2 s1 @%d", next), fmt.Sprintf("span t2 s2 @%d", next))
		w.expect(fmt.Sprintf("%d h later", hours), "call p/v1/gold/")
	}
}

// What fills the line pushes out what is oldest, not all.
func TestFullLineLetsTheOldestGo(t *testing.T) {
	l := usualLinking
	l.Memory = 1 << 20
	w := newLinkWorld(t, l, "spans")
	least := 1 << 30
	for i := range 5000 {
		w.read("spans", fmt.Sprintf("call t%d s2<s1 @5 model=%s", i, strings.Repeat("m", 100)))
		if i > 2000 {
			least = min(least, w.cores["spans"].Waiting())
		}
	}
	if least < 100 {
		t.Errorf("a full line was emptied down to %d events", least)
	}
}

// A flush by the clock at the log's end is done again after a restart, whatever the last record was.
func TestFenceBehindAnyRecordIsReached(t *testing.T) {
	for name, last := range map[string]func(*consumer.Core, int64, int64){
		"event":     func(c *consumer.Core, at, now int64) { c.Add(at, linkEvent("span t9 s9 @5"), now) },
		"tombstone": func(c *consumer.Core, at, now int64) { c.Add(at, nil, now) },
		"malformed": func(c *consumer.Core, at, now int64) { c.Add(at, []byte("{"), now) },
		"batch":     func(c *consumer.Core, at, now int64) { c.Broken(at, at+1, "crc", now) },
	} {
		core := linkCore(t, "spans", consumer.NewLinker(usualLinking, "spans"), consumer.CoreConfig{Fences: []int64{2}})
		core.Add(0, linkEvent("call t1 s1 @5"), testClock)
		last(core, 1, testClock)
		if core.Refencing() || core.Waiting() > 0 {
			t.Errorf("%s: a fence is not reached, %d events wait", name, core.Waiting())
		}
	}
}

// A call waits for a topic that this worker has, or is to have, but does not read yet.
func TestCallsWaitForATopicThatIsTakenUpLater(t *testing.T) {
	w := &linkWorld{t: t, linker: consumer.NewLinker(usualLinking, "a", "b"), cores: map[string]*consumer.Core{}, next: map[string]int64{}, now: testClock}
	w.cores["a"] = linkCore(t, "a", w.linker, consumer.CoreConfig{})
	w.read("a", "call t1 s1<s2 @5", "span t2 s1 @60", "span t2 s2 @60")
	w.cores["a"].Tend(w.now, false)
	if w.cores["a"].Waiting() != 1 || !w.cores["a"].Stuck() {
		t.Fatal("the call did not wait")
	}
	w.cores["b"] = linkCore(t, "b", w.linker, consumer.CoreConfig{})
	w.read("b", "span t1 s2 @6 prompt=p version=v1", "span t3 s3 @16", "span t3 s4 @16")
	w.cores["b"].Tend(w.now, false)
	w.cores["a"].Tend(w.now, false)
	w.expect("when b has been read", "call p/v1//")
}

// While a topic cannot be read, calls wait if it is known to hold spans, until there is no room for more.
func TestCallsAndATopicThatCannotBeRead(t *testing.T) {
	for _, spans := range []bool{false, true} {
		l := usualLinking
		l.Memory = 1 << 20
		w := newLinkWorld(t, l, "a", "b")
		if spans {
			w.read("b", "span t9 s1 @1")
		}
		w.cores["b"].Failing(true)
		w.read("a", "call t1 s1<s2 @5", "span t1 s2 @6 prompt=p version=v1", "span t2 s1 @60", "span t2 s2 @60")
		w.cores["a"].Tend(w.now, false)
		if waits := w.cores["a"].Waiting() > 0; waits != spans || w.cores["a"].Stuck() != spans {
			t.Errorf("spans seen %v: waits %v", spans, waits)
		}
		for i := range 10_000 {
			w.read("a", fmt.Sprintf("call t%d s2<s1 @60 model=%s", i, strings.Repeat("m", 100)))
		}
		if n := w.cores["a"].Waiting(); n > 2000 || w.cores["a"].Blocked() {
			t.Errorf("spans seen %v: %d events wait", spans, n)
		}
	}
}

// A topic whose times stay an hour behind, though it is read to its end, holds nobody up for ever.
func TestTopicWithOldTimesDoesNotHoldOthersForEver(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "old", "scores")
	w.now = linkStart + int64(time.Hour)
	most := 0
	for i := range 3600 { // seconds
		w.now += 1e9
		if i%5 == 0 {
			w.read("old", fmt.Sprintf("span t%d s1 @%d prompt=p version=v1", i, i))
		}
		w.read("scores", fmt.Sprintf("score t%d s1 @%d", i/5*5, 3600+i), fmt.Sprintf("call t%d s9<s1 @%d", i/5*5, 3600+i))
		for _, topic := range []string{"old", "scores"} {
			w.cores[topic].Tend(w.now, true)
		}
		most = max(most, w.cores["scores"].Waiting())
	}
	if most > 2*16*60 {
		t.Errorf("%d events waited", most)
	}
	if w.take(); len(w.out) < 4000 || len(w.dead) > 0 {
		t.Errorf("%d samples, %d dead letters", len(w.out), len(w.dead))
	}
}

// Text where a name should be is not kept, however long it is.
func TestTextInNamesIsNotRemembered(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "spans")
	text := strings.Repeat("Answer the question. ", 1000)
	before := heap()
	n := 4000
	if testing.Short() {
		n = 1500
	}
	for i := range n {
		w.read("spans", fmt.Sprintf("span t%d s1 @5 model=m%d", i, i)+" prompt="+strings.ReplaceAll(text, " ", "_")+fmt.Sprint(i))
	}
	if grown := heap() - before; grown > 20<<20 {
		t.Errorf("%d MB are kept", grown>>20)
	}
	runtime.KeepAlive(w)
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestResponseIDOfTwoCalls(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "spans")
	w.read("spans", "call t1 s2<s1 @5 response_id=r", "span t1 s1 @6 prompt=p version=v1", "call t2 s2<s1 @5 response_id=r", "span t2 s1 @6 prompt=q version=v1",
		"call t3 s1 @5 response_id=whole prompt=x version=v1", "call t4 s2<s1 @5 response_id=whole", "span t4 s1 @6 prompt=y version=v1",
		"score response_id=r @9", "score response_id=whole @9")
	w.tend(time.Minute)
	if w.take(); len(w.out) != 4 || len(w.dead) != 2 || !strings.Contains(w.dead[0]+w.dead[1], "several") {
		t.Errorf("samples %q, dead letters %q", w.out, w.dead)
	}
}

// A score of an agent belongs to the calls right below it, though the agent's own span is long forgotten.
func TestScoreOfAnAgentAmongOthers(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "spans")
	w.read("spans", "call t1 s3<s2 @5 prompt=p version=v1", "span t1 s2<s1 @6", "call t1 s5<s4 @5 prompt=q version=v1", "span t1 s4<s1 @6", "span t1 s1 @7",
		"span t8 s1 @300", "span t8 s2 @300", "score t1 s2 @301", "score t1 s4 @301", "span t9 s1 @400", "span t9 s2 @400")
	w.expect("minutes later", "call p/v1//", "call q/v1//", "score p/v1//", "score q/v1//")
}

// Who reads a record again, only to remember it, refuses what was refused for its time when it came.
func TestFutureIsJudgedByTheLogWhenItIsReadAgain(t *testing.T) {
	core := linkCore(t, "spans", consumer.NewLinker(usualLinking, "spans"), consumer.CoreConfig{From: 2})
	came := (linkStart + 5e9) / 1e6 // ms
	for i := range int64(2) {
		core.AddAt(i, came, linkEvent("span t1 s1 @1800"), testClock)
	}
	core.AddAt(2, came, linkEvent("call t2 s1<s2 @5"), testClock)
	core.AddAt(3, came, linkEvent("span t2 s2 @6 prompt=p version=v1"), testClock)
	core.AddAt(4, came, linkEvent("span t3 s1 @16"), testClock)
	core.AddAt(5, came, linkEvent("span t3 s1 @16"), testClock)
	if n := core.Waiting(); n > 0 {
		t.Errorf("%d events wait for a time that was refused", n)
	}
}

func TestNestedCallsAreNotUnlinked(t *testing.T) {
	w := newLinkWorld(t, usualLinking, "spans")
	w.read("spans", "call t1 s3<s2 @5", "call t1 s2 @5 prompt=p version=v1")
	w.tend(time.Minute)
	if n := w.cores["spans"].Unlinked(); n != 0 {
		t.Errorf("%d calls count as unlinked", n)
	}
}
