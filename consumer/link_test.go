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
