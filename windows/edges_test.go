package windows

import (
	"math"
	"slices"
	"testing"
	"time"
)

// advance folds a record, seals what it lets, and returns how many minutes that were.
func advance(t testing.TB, s *Store, record []byte) (ticks int) {
	t.Helper()
	fold(t, s, record)
	s.Advance(func(time.Time) { ticks++ })
	return ticks
}

// Around the epoch every window reaches back to before time zero.
func TestTimeBeginsAtZero(t *testing.T) {
	s, f, w := NewStore(Options{Dimensions: testDimensions}), newFeed(), &world{}
	views := s.SetViews(testViews)
	ticks := 0
	for m := range int64(200) {
		at := m * minuteNanos
		ev := event{time: at, prompt: "p", version: "v", latency: float64(m + 1)}
		w.events = append(w.events, ev)
		ticks += advance(t, s, f.batch(Source{}, at+1, at, ev))
		if m%50 == 1 {
			for _, v := range s.SetViews(testViews) {
				w.check(t, v, s.sealed)
			}
			views = s.SetViews(testViews)
		}
		for _, v := range views {
			w.check(t, v, s.sealed)
		}
	}
	if ticks != 199 {
		t.Errorf("%d ticks, want 199", ticks)
	}
}

func TestDecodeRefusesWhatNoSourceHas(t *testing.T) {
	e := NewEncoder()
	decode := func(samples ...Sample) error {
		for i := range samples {
			samples[i].Mask = MaskCall
			e.Add(&samples[i])
		}
		record := e.AppendBatch(nil, &Header{})
		e.Reset()
		return new(Batch).Decode(record)
	}
	at := func(offset int64, index uint32, t int64) Sample {
		return Sample{Position: Position{offset, index}, Time: t}
	}
	if err := decode(at(0, 0, 0), at(0, 1, 5), at(math.MaxInt64, math.MaxUint32-1, math.MaxInt64)); err != nil {
		t.Errorf("ends of the ranges: %v", err)
	}
	for name, samples := range map[string][]Sample{
		"time before 1970":             {at(0, 0, -1)},
		"offset below zero":            {at(-1, 0, 0)},
		"offset behind the last":       {at(math.MaxInt64, 0, 0), at(math.MinInt64, 0, 0)},
		"index without a next":         {at(0, math.MaxUint32, 0)},
		"the same position twice":      {at(3, 1, 0), at(3, 1, 0)},
		"positions not in their order": {at(3, 1, 0), at(3, 0, 0)},
	} {
		if decode(samples...) == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}

// A clock at its very end must not make Advance go round for ever.
func TestWatermarkAtTheEndOfTime(t *testing.T) {
	s, f := NewStore(Options{Dimensions: testDimensions}), newFeed()
	s.SetViews(testViews)
	end := int64(math.MaxInt64)
	if ticks := advance(t, s, f.batch(Source{}, end, end-2*minuteNanos, event{time: end - 3*minuteNanos, prompt: "p", version: "v", latency: 1})); ticks != 1 {
		t.Errorf("%d ticks, want 1", ticks)
	}
	if ticks := advance(t, s, f.batch(Source{}, end, end)); ticks != 2 {
		t.Errorf("%d ticks, want 2", ticks)
	}
}

// A source record whose events went into several batches counts once, wherever a restart or a doubled produce cuts in.
func TestOneRecordInManyBatches(t *testing.T) {
	at := int64(1_760_000_400) * 1e9
	e := NewEncoder()
	var batches [][]byte
	for from := range 4 {
		for i := range 10 {
			e.Add(&Sample{Position: Position{7, uint32(from*10 + i)}, Time: at, Cell: AppendKey(nil, "p", "v", "", ""), Mask: MaskCall})
		}
		batches = append(batches, e.AppendBatch(nil, &Header{Clock: at, Dimensions: testDimensions}))
		e.Reset()
	}
	s := NewStore(Options{Dimensions: testDimensions})
	v := s.SetViews([]ViewSpec{{Metric: Volume, Window: time.Hour}})[0]
	taken := 0
	for _, i := range []int{0, 1, 0, 1, 2, 0, 1, 2, 3, 3, 2} {
		taken += fold(t, s, batches[i]).Samples
	}
	advance(t, s, newFeed().batch(Source{Topic: "other"}, at, at+2*minuteNanos))
	advance(t, s, newFeed().batch(Source{}, at, at+2*minuteNanos))
	if n := v.Groups()[0].Count(); n != 40 || taken != 40 {
		t.Errorf("%d taken in, %d counted, want 40", taken, n)
	}
}

// Batches of no samples and no watermark, as ingest begins with, start no clock.
func TestHeartbeatsBeforeTheFirstEvent(t *testing.T) {
	s, f := NewStore(Options{Dimensions: testDimensions}), newFeed()
	s.SetViews(testViews)
	a, b := Source{Topic: "a"}, Source{Topic: "b"}
	start := int64(1_760_000_400) * 1e9
	if advance(t, s, f.batch(a, start, 0)) != 0 || !s.Watermark().IsZero() {
		t.Error("time began without an event")
	}
	ev := event{time: start, prompt: "p", version: "v", latency: 1}
	fold(t, s, f.batch(b, start, 0))
	if ticks := advance(t, s, f.batch(a, start, start+minuteNanos, ev)); ticks != 0 {
		t.Errorf("%d ticks while a source has not said where it is", ticks)
	}
	if ticks := advance(t, s, f.batch(b, start, start-5*minuteNanos)); ticks != 0 {
		t.Errorf("%d ticks when both have said where they are", ticks)
	}
	if ticks := advance(t, s, f.batch(b, start, start+minuteNanos)); ticks != 6 {
		t.Errorf("%d ticks, want 6", ticks)
	}
	// One that appears now with a watermark of long ago, or with none, holds time up and does not turn it back.
	var at []time.Time
	for i, src := range []Source{{Topic: "old"}, {Topic: "none"}} {
		fold(t, s, f.batch(src, start, []int64{start - 600*minuteNanos, 0}[i]))
		fold(t, s, f.batch(a, start, start+10*minuteNanos))
		s.Advance(func(time.Time) { t.Error("ticked") })
		at = append(at, s.Watermark())
	}
	if slices.Contains(at, time.Time{}) || at[0] != at[1] {
		t.Errorf("watermarks %v", at)
	}
}

// What lies more than a day before the first watermark is dropped when that comes, and counted: of a pane that was digested
// already too, and, as far as it is calls, in a store that was restored since.
func TestTooLateBeforeTheFirstWatermark(t *testing.T) {
	const old, fresh = 2*compactRows + 7, 5
	f, log := newFeed(), &memoryLog{}
	s := NewStore(Options{Dimensions: testDimensions})
	v := s.SetViews([]ViewSpec{{Metric: Volume, Window: 24 * time.Hour}})[0]
	start := int64(1_760_000_400) * 1e9
	var events []event
	for i := range old + fresh {
		ev := event{time: start - int64(25*time.Hour), prompt: "p", version: "v", latency: 1}
		if i >= old {
			ev.time = start - minuteNanos
		}
		events = append(events, ev)
	}
	if got := fold(t, s, f.batch(Source{}, start, 0, events...)); got.Samples != old+fresh || got.TooLate != 0 {
		t.Errorf("before there is a watermark: %+v", got)
	}
	if err := s.Checkpoint(nil, log.write); err != nil {
		t.Fatal(err)
	}
	other := restored(t, log)
	otherView := other.SetViews([]ViewSpec{{Metric: Volume, Window: 24 * time.Hour}})[0]
	first := f.batch(Source{}, start, start, event{time: start - int64(25*time.Hour), prompt: "p", version: "v"})
	for _, c := range []struct {
		*Store
		view *View
	}{{s, v}, {other, otherView}} {
		if got := fold(t, c.Store, first); got.TooLate != 0 {
			t.Errorf("with the first watermark: %+v", got)
		}
		if got := c.Advance(func(time.Time) {}); got != old+1 {
			t.Errorf("%d samples are too late, want %d", got, old+1)
		}
		if n := c.view.Groups()[0].Count(); n != fresh {
			t.Errorf("%d calls are counted, want %d", n, fresh)
		}
		if got := c.Advance(func(time.Time) {}); got != 0 {
			t.Errorf("counted again: %d", got)
		}
	}
}
