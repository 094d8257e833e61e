package consumer_test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/windows"
)

// linkWorld is source partitions of one number that read native events, and what came out of them.
type linkWorld struct {
	t      *testing.T
	linker *consumer.Linker
	cores  map[string]*consumer.Core
	next   map[string]int64
	out    []string // cell and what it holds, in order
	dead   []string // reason and detail
	now    int64
}

func newLinkWorld(t *testing.T, l consumer.Linking, topics ...string) *linkWorld {
	w := &linkWorld{t: t, linker: consumer.NewLinker(l, topics...), cores: map[string]*consumer.Core{}, next: map[string]int64{}, now: testClock}
	for _, topic := range topics {
		w.cores[topic] = linkCore(t, topic, w.linker, consumer.CoreConfig{})
	}
	return w
}

var usualLinking = consumer.Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 64 << 20}

func linkCore(t testing.TB, topic string, l *consumer.Linker, c consumer.CoreConfig) *consumer.Core {
	t.Helper()
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}})
	if err != nil {
		t.Fatal(err)
	}
	c.Source, c.Decoder, c.Dimensions = windows.Source{Topic: topic}, driftdjson.New(attrs), attrs.Dimensions()
	c.Scales, c.Now, c.Linker = testScales, testClock, l
	if c.Partitions == 0 {
		c.Partitions, c.Partition = 1, func(string) int { return 0 }
	}
	return consumer.NewCore(c)
}

// linkEvent writes a native event from a line such as "call t1 s2<s1 @5 prompt=p version=v1", where @5 is seconds from the
// start. The first word is call, span (that is no call) or score.
func linkEvent(line string) []byte {
	f := strings.Fields(line)
	kv := map[string]string{}
	at := 0.0
	put := func(k, v string) { kv[k] = `"` + v + `"` }
	switch f[0] {
	case "call":
		put("type", "span")
	case "span":
		put("type", "span")
		put("kind", "other")
	case "score":
		put("type", "score")
		put("rubric", "grounding")
		kv["value"] = "0.5"
	default:
		panic(line)
	}
	for _, w := range f[1:] {
		k, v, isKV := strings.Cut(w, "=")
		span, parent, _ := strings.Cut(w, "<")
		switch {
		case isKV && k == "fallback":
			kv[k] = v
		case isKV:
			put(k, v)
		case w[0] == '@':
			fmt.Sscanf(w[1:], "%g", &at)
		case w[0] == 't':
			put("trace_id", hexID(w, 16))
		case w[0] == 's':
			put("span_id", hexID(span, 8))
			if parent != "" {
				put("parent_span_id", hexID(parent, 8))
			}
		default:
			panic(line)
		}
	}
	kv["time"] = fmt.Sprint(linkStart + int64(at*1e9))
	b := []byte("{")
	for i, k := range slices.Sorted(maps.Keys(kv)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%q:%s", k, kv[k])
	}
	return append(b, '}')
}

func hexID(name string, n int) string {
	b := make([]byte, n)
	copy(b, name)
	return hex.EncodeToString(b)
}

var linkStart = testClock - int64(time.Hour)

// read feeds lines of the form "topic: event"; without a topic they go to the first.
func (w *linkWorld) read(topic string, lines ...string) {
	for _, line := range lines {
		w.cores[topic].Add(w.next[topic], linkEvent(line), w.now)
		w.next[topic]++
	}
}

// tend lets every partition look around, at its end, some time after.
func (w *linkWorld) tend(after time.Duration) {
	w.now += int64(after)
	for range 2 {
		for _, topic := range slices.Sorted(maps.Keys(w.cores)) {
			w.cores[topic].Tend(w.now, true)
		}
	}
}

// take collects what has come out.
func (w *linkWorld) take() {
	for _, topic := range slices.Sorted(maps.Keys(w.cores)) {
		waves, dead, _ := w.cores[topic].Cut(w.now, true)
		for _, wave := range waves {
			for _, s := range wave {
				w.out = append(w.out, samplesOf(w.t, s.Value)...)
			}
		}
		for _, l := range dead {
			w.dead = append(w.dead, l.Headers["driftd-reason"]+": "+l.Headers["driftd-detail"])
		}
	}
}

// samplesOf describes the samples of a batch.
func samplesOf(t testing.TB, value []byte) (out []string) {
	var b windows.Batch
	if err := b.Decode(value); err != nil {
		t.Fatal(err)
	}
	for i := range b.Pos {
		cell, err := windows.SplitKey(nil, b.Cells[b.Cell[i]])
		if err != nil {
			t.Fatal(err)
		}
		kind := "score"
		if b.Shapes[b.Shape[i]].Mask&windows.MaskCall != 0 {
			kind = "call"
		}
		out = append(out, kind+" "+strings.Join(cell, "/"))
	}
	return out
}

func TestLink(t *testing.T) {
	for name, tc := range map[string]struct {
		lines string
		out   string
		dead  string
		calls string // what became of calls that needed a link
	}{
		"whole": {"call t1 s1 prompt=p version=v1 tier=gold", "call p/v1/gold/", "", "map[]"},
		"from the parent, which ends later": {
			"call t1 s2<s1 @5\nspan t1 s1 @6 prompt=p version=v1", "call p/v1//", "", "map[linked:1]"},
		"from the nearest ancestor": {
			"call t1 s4<s3 @5\nspan t1 s3<s2 @6\nspan t1 s2<s1 @6 prompt=near version=v2\nspan t1 s1 @7 prompt=far version=v1",
			"call near/v2//", "", "map[linked:1]"},
		"from the rendering beside it": {
			"span t1 s2<s1 @1 prompt=p version=v1\ncall t1 s3<s1 @5\nspan t1 s4<s1 @5\nspan t1 s1 @6", "call p/v1//", "", "map[linked:1]"},
		"two renderings are none": {
			"span t1 s2<s1 @1 prompt=p version=v1\nspan t1 s3<s1 @1 prompt=q version=v1\ncall t1 s4<s1 @5", "", "", "map[ambiguous:1]"},
		"two versions are none": {
			"span t1 s2<s1 @1 prompt=p version=v1\nspan t1 s3<s1 @1 prompt=p version=v2\ncall t1 s4<s1 @5", "", "", "map[ambiguous:1]"},
		"who knows no version does not contradict": {
			"span t1 s2<s1 @1 prompt=p\nspan t1 s3<s1 @1 prompt=p version=v2\ncall t1 s4<s1 @5", "call p/v2//", "", "map[linked:1]"},
		"an ancestor decides between two": {
			"span t1 s2<s1 @1 prompt=p version=v1\nspan t1 s3<s1 @9 prompt=q version=v1\ncall t1 s4<s3 @5", "call q/v1//", "", "map[linked:1]"},
		"nothing named":   {"call t1 s2<s1 @5\nspan t1 s1 @6", "", "", "map[no_prompt:1]"},
		"no trace at all": {"call @5", "", "", "map[no_prompt:1]"},
		"the prompt of a neighbouring call is its own": {
			"call t1 s2<s1 @5 prompt=p version=v1\ncall t1 s3<s1 @6\nspan t1 s1 @7", "call p/v1//", "", "map[no_prompt:1]"},
		"a call inside a call is the same call": {
			"call t1 s3<s2 @5\ncall t1 s2<s1 @5 prompt=p version=v1\nspan t1 s1 @7", "call p/v1//", "", "map[nested:1]"},
		"a call inside a call inside": {
			"span t1 s9<s1 @1 prompt=p version=v1\ncall t1 s3<s2 @5\nspan t1 s2<s4 @5\ncall t1 s4<s1 @6\nspan t1 s1 @7",
			"call p/v1//", "", "map[linked:1 nested:1]"},
		"who was served stands on the root": {
			"span t1 s2<s1 @1 prompt=p version=v1\ncall t1 s3<s1 @5 locale=de\nspan t1 s1 @6 tier=gold locale=fr",
			"call p/v1/gold/de", "", "map[linked:1]"},
		"a fallback has no version": {"call t1 s2<s1 @5 fallback=true\nspan t1 s1 @6 prompt=p version=v1", "call p///", "", "map[linked:1]"},
		"a circle of parents":       {"call t1 s1<s2 @5\nspan t1 s2<s1 @6", "", "", "map[no_prompt:1]"},
		"a circle of two above":     {"call t1 s1<s2 @5\nspan t1 s2<s3 @6\nspan t1 s3<s2 @6", "", "", "map[no_prompt:1]"},
		"its own parent":            {"call t1 s1<s1 @5\nspan t1 s2 @6 prompt=p version=v1", "call p/v1//", "", "map[linked:1]"},
		"another trace":             {"call t1 s2<s1 @5\nspan t2 s1 @6 prompt=p version=v1", "", "", "map[no_prompt:1]"},
		"ids used again": {
			"call t1 s2<s1 @5\ncall t1 s2<s1 @6\nspan t1 s1 @7 prompt=p version=v1", "call p/v1//\ncall p/v1//", "", "map[linked:2]"},
		"a name that is text": {
			"call t1 s2<s1 @5\nspan t1 s1 @6 prompt=" + strings.Repeat("x", 300), "", "", "map[no_prompt:1]"},
		"the ancestor comes too late": {
			"call t1 s2<s1 @5\nspan t9 s9 @20\nspan t9 s8 @20\nspan t1 s1 @21 prompt=p version=v1", "", "", "map[no_prompt:1]"},
		"what is whole keeps its place behind what waits": {
			"call t1 s2<s1 @5\ncall t2 s1 @6 prompt=q version=v1\nspan t1 s1 @7 prompt=p version=v1",
			"call p/v1//\ncall q/v1//", "", "map[linked:1]"},

		"score of a span":       {"call t1 s1 @5 prompt=p version=v1 tier=gold\nscore t1 s1 @9", "call p/v1/gold/\nscore p/v1/gold/", "", "map[]"},
		"score before its span": {"score t1 s1 @5\ncall t1 s1 @6 prompt=p version=v1", "score p/v1//\ncall p/v1//", "", "map[]"},
		"score of a linked span": {
			"call t1 s2<s1 @5\nspan t1 s1 @6 prompt=p version=v1\nscore t1 s2 @9", "call p/v1//\nscore p/v1//", "", "map[linked:1]"},
		"score of the trace": {"call t1 s1 @5 prompt=p version=v1\nscore t1 @9", "call p/v1//\nscore p/v1//", "", "map[]"},
		"score of the root": {
			"call t1 s2<s1 @5 prompt=p version=v1\nspan t1 s1 @6\nscore t1 s1 @9", "call p/v1//\nscore p/v1//", "", "map[]"},
		"score of a trace with two prompts": {
			"call t1 s2<s1 @5 prompt=p version=v1\ncall t1 s3<s1 @5 prompt=q version=v1\nscore t1 @9\nscore t1 s3 @9",
			"call p/v1//\ncall q/v1//\nscore q/v1//", "unlinked: the score names no prompt, and its trace has several", "map[]"},
		"score by the response's id": {
			"call t1 s1 @5 prompt=p version=v1 response_id=r1\nscore response_id=r1 @9", "call p/v1//\nscore p/v1//", "", "map[]"},
		"score by the response's id of a linked call": {
			"call t1 s2<s1 @5 response_id=r1\nspan t1 s1 @6 prompt=p version=v1\nscore response_id=r1 @9",
			"call p/v1//\nscore p/v1//", "", "map[linked:1]"},
		"score of nothing":              {"score t1 s1 @5", "", "unlinked: the score names no prompt, and its span is not remembered", "map[]"},
		"score of an id that never was": {"score response_id=r @5", "", "unlinked: the score names no prompt, and its span is not remembered", "map[]"},
		"score of a trace without a prompt": {
			"span t1 s1 @5\nscore t1 s1 @6", "", "unlinked: the score names no prompt, nor does any span of its trace", "map[]"},
		"score that names its prompt": {"score t1 s1 @5 prompt=p version=v1", "score p/v1//", "", "map[]"},
		"score of a whole day ago": {"span t8 s1 @1 prompt=p version=v1\nspan t9 s9 @3000\nspan t9 s8 @3000\nscore t8 s1 @2", "",
			"unlinked: the score names no prompt, and its span is not remembered", "map[]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newLinkWorld(t, usualLinking, "spans")
			w.read("spans", strings.Split(tc.lines, "\n")...)
			calls, _, _ := w.cores["spans"].Counted()
			w.tend(time.Minute)
			more, _, _ := w.cores["spans"].Counted()
			for k, v := range more {
				calls[k] = v
			}
			w.take()
			if got := strings.Join(w.out, "\n"); got != tc.out {
				t.Errorf("samples:\n%s\nwant:\n%s", got, tc.out)
			}
			if got := strings.Join(w.dead, "\n"); got != tc.dead {
				t.Errorf("dead letters:\n%s\nwant:\n%s", got, tc.dead)
			}
			if got := fmt.Sprint(calls); got != tc.calls {
				t.Errorf("calls that needed a link: %s, want %s", got, tc.calls)
			}
			if n := w.cores["spans"].Waiting(); n > 0 {
				t.Errorf("%d events still wait", n)
			}
		})
	}
}

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

func TestMillionSpansInATrace(t *testing.T) {
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
	l := usualLinking
	l.Memory = 1 << 20
	w := newLinkWorld(t, l, "spans")
	most := 0
	for i := range 60_000 {
		w.read("spans", fmt.Sprintf("call t%d s1 @%d prompt=p%d version=v1", i, i/1000, i%5000), fmt.Sprintf("span t%d s2<s1 @%d tier=%d", i, i/1000, i))
		if i%100 == 0 {
			_, bytes := w.linker.Stats()
			most = max(most, bytes)
		}
	}
	if spans, _ := w.linker.Stats(); most > 1<<20 || spans < 1000 { // most of it is labels
		t.Errorf("%d bytes at most, %d spans", most, spans)
	}
	w.read("spans", "call tx s2<s1 @70", "span tx s1 @71 prompt=q version=v1", "score t59999 s1 @72", "score t1 s1 @72")
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
