package consumer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

// cutAll ends a round and decodes its batches by samples partition, in the order of the waves.
func cutAll(t *testing.T, core *consumer.Core, now int64, atEnd bool) map[int][]windows.Batch {
	t.Helper()
	out := map[int][]windows.Batch{}
	waves, _, _ := core.Cut(now, atEnd)
	for _, w := range waves {
		in := map[int]bool{}
		for _, s := range w {
			if in[s.Partition] {
				t.Errorf("two batches for samples partition %d in one wave", s.Partition)
			}
			in[s.Partition] = true
			if len(s.Value) > 800<<10 {
				t.Errorf("a batch of %d bytes", len(s.Value))
			}
			var b windows.Batch
			if err := b.Decode(s.Value); err != nil {
				t.Fatal(err)
			}
			out[s.Partition] = append(out[s.Partition], b)
		}
	}
	return out
}

func TestWatermarkAndHeartbeats(t *testing.T) {
	core := newCore(t, driftdjson.New) // three samples partitions, by length of the prompt
	second := int64(time.Second)
	event := func(prompt string, at int64) []byte {
		c := otlpgen.Call{Prompt: prompt, End: time.Unix(0, at)}
		return otlpgen.AppendNative(nil, &c)
	}
	sources := []windows.Source{{Topic: "spans", Partition: 2}, {Topic: "spans", Partition: 3}}

	if got := cutAll(t, core, testClock, false); len(got) != 0 {
		t.Errorf("an idle cut wrote %v", got)
	}
	core.Beat(sources)
	got := cutAll(t, core, testClock, false)
	for p := range 3 {
		if b := got[p]; len(b) != 1 || b[0].Len() != 0 || b[0].Watermark != 0 || b[0].Clock != testClock || len(b[0].Announced) != 2 {
			t.Fatalf("first heartbeat of partition %d: %+v", p, b)
		}
	}

	// A busy lane gets no heartbeat, but the others get the watermark that it moved.
	t0 := testClock - 100*second
	core.Add(0, event("abc", t0), testClock)
	core.Add(1, event("abc", t0-20*second), testClock) // late: moves nothing back
	got = cutAll(t, core, testClock, false)
	if len(got) != 1 || got[0][0].Len() != 2 || got[0][0].Watermark != t0-10*second || len(got[0][0].Announced) != 0 {
		t.Errorf("batch: %+v", got)
	}
	core.Beat(sources)
	got = cutAll(t, core, testClock+second, false)
	if len(got) != 2 || len(got[0]) != 0 || got[1][0].Watermark != t0-10*second || got[2][0].Clock != testClock+second {
		t.Errorf("heartbeats: %+v", got)
	}
	core.Add(2, event("abc", t0+second), testClock+2*second)
	if got = cutAll(t, core, testClock+2*second, false); len(got[0]) != 1 || len(got[0][0].Announced) != 2 {
		t.Errorf("the busy lane was not told the sources: %+v", got)
	}
	core.Beat(sources)
	cutAll(t, core, testClock+2*second, false)
	for range 2 { // a heartbeat is no reason to leave out the next one
		core.Beat(sources)
		if got = cutAll(t, core, testClock+3*second, false); len(got) != 3 {
			t.Errorf("%d heartbeats, want 3", len(got))
		}
	}

	// Nothing for 15 s, but not at the end: the watermark waits.
	late := testClock + 60*second
	core.Beat(sources)
	if got = cutAll(t, core, late, false); got[1][0].Watermark != t0+second-10*second {
		t.Errorf("watermark %d of a partition that has more to read", got[1][0].Watermark)
	}
	core.Beat(sources)
	if got = cutAll(t, core, late, true); got[1][0].Watermark != late-25*second {
		t.Errorf("watermark %d s behind the clock, want 25", (late-got[1][0].Watermark)/second)
	}
	core.Add(3, event("abc", t0+2*second), late)
	if got = cutAll(t, core, late, true); got[0][0].Watermark != late-25*second {
		t.Error("the watermark moved back")
	}
}

func TestGiantRecordIsSplit(t *testing.T) {
	core := newCore(t, otlp.New)
	spans := make([]otlpgen.Span, 60_000)
	for i := range spans {
		spans[i] = span(attr("prompt.version", fmt.Sprintf("v%s%d", strings.Repeat("x", 50), i)))
	}
	core.Add(7, request(spans...), testClock)
	if !core.Full() {
		t.Error("a round with a giant record is not full")
	}
	n, batches := 0, 0
	last := windows.Position{}
	for p, list := range cutAll(t, core, testClock, false) {
		batches += len(list)
		for i, b := range list {
			for _, pos := range b.Pos {
				if n > 0 && !last.Less(pos) {
					t.Fatalf("partition %d: %v behind %v", p, pos, last)
				}
				last = pos
				n++
			}
			if i < len(list)-1 && b.Watermark != 0 {
				t.Error("a part of a record carries a watermark that the rest lies behind")
			}
		}
	}
	if n != len(spans) || batches < 5 {
		t.Errorf("%d samples in %d batches", n, batches)
	}
}

func TestManyLettersGoInSeveralWaves(t *testing.T) {
	core := newCore(t, otlp.New)
	for i := range int64(20) {
		core.Add(i, []byte("{"+strings.Repeat("x", 200<<10)), testClock)
	}
	waves, dead, _ := core.Cut(testClock, false)
	if len(waves) < 6 || len(waves) > 8 || len(dead) != 20 {
		t.Errorf("%d letters in %d waves", len(dead), len(waves))
	}
}

// A call that says nothing of an error or a fallback had none; a score alone says nothing of them.
func TestErrorAndFallbackCountEveryCall(t *testing.T) {
	core := newCore(t, driftdjson.New)
	for i, event := range []string{
		`{"type":"span","time":"2026-11-20T14:59:00Z","prompt":"p","version":"v","latency":1}`,
		`{"type":"span","time":"2026-11-20T14:59:00Z","prompt":"p","version":"v","latency":1,"error":true}`,
		`{"type":"span","time":"2026-11-20T14:59:00Z","prompt":"p","version":"v","latency":1,"fallback":true}`,
		`{"type":"score","time":"2026-11-20T14:59:00Z","prompt":"p","version":"v","rubric":"grounding","value":1}`,
	} {
		core.Add(int64(i), []byte(event), testClock)
	}
	s := windows.NewStore(windows.Options{Dimensions: []string{"tier", "locale"}})
	for _, batches := range cutAll(t, core, testClock, false) {
		for i := range batches {
			batches[i].Watermark = testClock
			s.Fold(&batches[i])
		}
	}
	s.Advance(func(time.Time) {})
	got := make(map[string]windows.Figures)
	for _, f := range s.Figures(windows.Query{Prompt: "p", Version: "v"}, time.Hour) {
		got[f.Metric] = f
	}
	for _, metric := range []string{windows.Error, windows.Fallback} {
		if f := got[metric]; f.Count != 3 || f.Sum != 1 {
			t.Errorf("%s: %d values, sum %v; want 3 and 1", metric, f.Count, f.Sum)
		}
	}
}
