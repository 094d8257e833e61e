package consumer_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/windows"
)

const feedPartitions = 3

func feedPartition(prompt string) int { return len(prompt) % feedPartitions }

func newFeed(t testing.TB, linking consumer.Linking) *consumer.Feed {
	t.Helper()
	f, err := consumer.NewFeed(consumer.Config{
		Encodings: map[string]consumer.Format{"e": {New: driftdjson.New}}, Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}},
		Scales: testScales, Linking: linking,
	}, consumer.SourceTopic{Topic: "events", Encoding: "e"}, feedPartitions, feedPartition)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fed is what a feed gave of a list of events.
type fed struct {
	samples    [feedPartitions][]string
	refused    []string // offset and reason
	watermarks [feedPartitions]int64
	counts     consumer.FeedCounts
	rounds     int
	stores     [feedPartitions]*windows.Store
	folded     [feedPartitions]windows.Folded
}

func feedAll(t testing.TB, f *consumer.Feed, events [][]byte) *fed {
	t.Helper()
	out := &fed{}
	for i := range out.stores {
		out.stores[i] = windows.NewStore(windows.Options{Dimensions: []string{"tier", "locale"}})
	}
	for i, e := range events {
		f.Add(&consumer.Record{Offset: int64(i), Value: e})
		out.take(t, f)
	}
	f.End()
	out.take(t, f)
	return out
}

func (out *fed) take(t testing.TB, f *consumer.Feed) {
	t.Helper()
	for fed := f.Next(); fed != nil; fed = f.Next() {
		out.rounds++
		out.counts.Records += fed.Counts.Records
		out.counts.Samples += fed.Counts.Samples
		out.counts.Scores += fed.Counts.Scores
		out.counts.Promptless += fed.Counts.Promptless
		out.counts.NoCalls += fed.Counts.NoCalls
		for _, r := range fed.Refused {
			out.refused = append(out.refused, fmt.Sprint(r.Offset, " ", r.Reason))
		}
		for _, b := range fed.Batches {
			var batch windows.Batch
			if err := batch.Decode(b.Data); err != nil {
				t.Fatal(err)
			}
			out.samples[b.Partition] = append(out.samples[b.Partition], lines(&batch)...)
			if batch.Watermark < out.watermarks[b.Partition] {
				t.Fatalf("partition %d: the watermark goes back from %d to %d", b.Partition, out.watermarks[b.Partition], batch.Watermark)
			}
			out.watermarks[b.Partition] = batch.Watermark
			got, total := out.stores[b.Partition].Fold(&batch), &out.folded[b.Partition]
			total.Samples += got.Samples
			total.Late += got.Late
			total.TooLate += got.TooLate + out.stores[b.Partition].Advance(func(time.Time) {})
		}
		if !fed.Watermark.IsZero() && slices.Min(out.watermarks[:])/60e9 != fed.Watermark.UnixNano()/60e9 {
			t.Fatalf("not all partitions have heard of %s: %v", fed.Watermark, out.watermarks)
		}
		f.Recycle(fed)
	}
}

// lines are the samples of a batch, as far as a test can tell them apart.
func lines(b *windows.Batch) (out []string) {
	for i := range b.Len() {
		out = append(out, fmt.Sprintf("%d %d %q %q", b.Pos[i].Offset, b.Time[i], b.Cells[b.Cell[i]], b.Axes[b.Axis[i]]))
	}
	return out
}

// disordered makes native events, one a second or so and each up to so much before the newest one: whole calls, calls that are linked
// to their prompt, scores that come later.
func disordered(rng *rand.Rand, n int, most time.Duration) (events [][]byte) {
	for i := range n {
		at := float64(i) + 1000 - rng.Float64()*most.Seconds()
		if i == 0 {
			at = 1000
		}
		trace := fmt.Sprintf("t%d", rng.IntN(i/4+1))
		switch rng.IntN(5) {
		case 0:
			events = append(events, linkEvent(fmt.Sprintf("span %s s%d @%.3f prompt=p%d version=v1", trace, i, at, rng.IntN(3)*rng.IntN(8))))
		case 1:
			events = append(events, linkEvent(fmt.Sprintf("call %s s%d @%.3f", trace, i, at)))
		case 2:
			events = append(events, linkEvent(fmt.Sprintf("score %s s%d @%.3f", trace, rng.IntN(i+1), at)))
		default:
			events = append(events, linkEvent(fmt.Sprintf("call s%d @%.3f prompt=%s version=v%d", i, at, strings.Repeat("p", 1+rng.IntN(3)), i/500)))
		}
	}
	return events
}

// TestFeedIsIngest holds the feed against the core that a Worker runs, which is cut at random.
func TestFeedIsIngest(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 1))
		events := disordered(rng, 2500, 10*time.Second)
		linking := usualLinking
		if seed%4 == 3 {
			linking = consumer.Linking{}
		}
		got := feedAll(t, newFeed(t, linking), events)

		c := consumer.CoreConfig{Partitions: feedPartitions, Partition: feedPartition}
		var l *consumer.Linker
		if linking.Horizon > 0 {
			l = consumer.NewLinker(linking, "events")
		}
		core := linkCore(t, "events", l, c)
		var want [feedPartitions][]string
		var dead []string
		cut := func(atEnd bool) {
			waves, letters, _ := core.Cut(testClock, atEnd)
			for _, w := range waves {
				for _, s := range w {
					var b windows.Batch
					if err := b.Decode(s.Value); err != nil {
						t.Fatal(err)
					}
					want[s.Partition] = append(want[s.Partition], lines(&b)...)
				}
			}
			for _, letter := range letters {
				dead = append(dead, letter.Headers["driftd-offset"]+" "+letter.Headers["driftd-reason"])
			}
		}
		for i, e := range events {
			if core.Add(int64(i), e, testClock); rng.IntN(50) == 0 {
				cut(false)
			}
		}
		core.End(testClock)
		cut(true)
		if diff := cmp.Diff(want, got.samples); diff != "" {
			t.Fatalf("seed %d: samples of ingest and of the feed differ:\n%s", seed, diff)
		}
		if diff := cmp.Diff(dead, got.refused); diff != "" {
			t.Errorf("seed %d: what ingest and the feed refuse differs:\n%s", seed, diff)
		}
		for p := range got.folded {
			if f := got.folded[p]; f.Late+f.TooLate > 0 || f.Samples != len(want[p]) || f.Samples == 0 {
				t.Errorf("seed %d, partition %d: %+v of %d samples, though none is late", seed, p, f, len(want[p]))
			}
		}
	}
}

// TestFeedLate counts, of events beyond the allowed disorder, those whose minute was over when they came.
func TestFeedLate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var events [][]byte
	newest, want, first := 0.0, 0, -1
	for i := range 5000 {
		at := float64(i)/3 + 1000 - rng.Float64()*15
		if rng.IntN(100) == 0 {
			at -= rng.Float64() * 1000
		}
		events = append(events, linkEvent(fmt.Sprintf("call s%d @%.3f prompt=%s version=v1", i, at, strings.Repeat("p", 1+rng.IntN(3)))))
		if at = float64(int(at*1000+0.5)) / 1000; i > 0 && float64(int(at/60)) < float64(int((newest-10)/60)) {
			if want++; first < 0 {
				first = i
			}
		}
		newest = max(newest, at)
	}
	f := newFeed(t, usualLinking)
	got := feedAll(t, f, events)
	folded := 0
	for _, n := range got.folded {
		folded += n.Late + n.TooLate
	}
	if lag := f.Lag(); folded != want || int(lag.Events) != want || int(lag.First) != first || want == 0 || lag.By <= 10*time.Second || lag.Most < lag.By {
		t.Errorf("%d folded late, %+v; want %d, the first at %d", folded, lag, want, first)
	}
}

// TestFeedEnds holds that the last minute is sealed, and no later one.
func TestFeedEnds(t *testing.T) {
	f := newFeed(t, usualLinking)
	got := feedAll(t, f, [][]byte{
		linkEvent("call @0 prompt=p"),
		linkEvent("call t1 s1 @200"),
		linkEvent("score t1 s1 @10200.5"), // after a gap
		[]byte("{"), {},
		linkEvent("call @10259.9 prompt=pp"),
		linkEvent("call @3000000000 prompt=pp"), // in another century
	})
	want := linkStart + 10260e9
	for p, w := range got.watermarks {
		if w != want {
			t.Errorf("partition %d is left at %s, want %s", p, time.Unix(0, w).UTC(), time.Unix(0, want).UTC())
		}
	}
	if len(got.samples[1]) != 1 || len(got.samples[2]) != 1 {
		t.Errorf("samples %q", got.samples)
	}
	if diff := cmp.Diff([]string{"3 malformed", "2 unlinked", "6 future"}, got.refused); diff != "" {
		t.Error(diff)
	}
	if want := (consumer.FeedCounts{Records: 6, Samples: 2, Promptless: 1}); got.counts != want {
		t.Errorf("counted %+v, want %+v", got.counts, want)
	}
	if got.rounds < 10 { // the gap goes by in steps, so that somebody can watch
		t.Errorf("%d rounds over three hours", got.rounds)
	}
	if oldest, newest := f.Times(); oldest.UnixNano() != linkStart || newest.UnixNano() != linkStart+10259.9e9 {
		t.Errorf("events from %s to %s", oldest, newest)
	}
}

// TestFeedOfNothing holds that a feed without events ends.
func TestFeedOfNothing(t *testing.T) {
	f := newFeed(t, consumer.Linking{})
	f.Refuse(7, consumer.Malformed, "too long")
	got := feedAll(t, f, nil)
	if diff := cmp.Diff([]string{"7 malformed"}, got.refused); diff != "" || got.counts.Records != 1 {
		t.Errorf("%s%+v", diff, got.counts)
	}
	if _, newest := f.Times(); !newest.IsZero() || got.watermarks != [feedPartitions]int64{} {
		t.Errorf("time goes on without events: %v", got.watermarks)
	}
}

// TestFeedKeepsNoText holds that a refusal says nothing of the record.
func TestFeedKeepsNoText(t *testing.T) {
	f := newFeed(t, usualLinking)
	for i, e := range []string{
		`{"type":"span","time":"` + secret + `"}`, `{"type":"` + secret + `","time":1}`, secret,
		`{"type":"span","time":1795186800000000000,"prompt":"a\n` + secret + `"}`,
		`{"type":"score","time":1795186800000000000,"prompt":"p","rubric":"verdict","label":"` + secret + `"}`,
		`{"type":"span","time":1795186800000000000,"trace_id":"` + secret + `"}`,
	} {
		f.Add(&consumer.Record{Offset: int64(i), Value: []byte(e)})
	}
	f.End()
	n := 0
	for fed := f.Next(); fed != nil; fed = f.Next() {
		for _, r := range fed.Refused {
			if n++; strings.Contains(r.Detail, "customer") || r.Reason == consumer.Fine {
				t.Errorf("record %d: %s: %s", r.Offset, r.Reason, r.Detail)
			}
		}
	}
	if n != 6 {
		t.Errorf("%d refused, want 6", n)
	}
}

func FuzzFeed(f *testing.F) {
	f.Add(bytes.Join(disordered(rand.New(rand.NewPCG(1, 1)), 20, time.Minute), []byte("\n")))
	f.Add([]byte(`{"type":"span","time":9223372036854775807,"prompt":"p"}` + "\n" + `{"type":"span","time":"2099-12-31T23:59:59Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		events := bytes.Split(data, []byte("\n"))
		if len(events) > 200 {
			return
		}
		feed := newFeed(t, consumer.Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 1 << 20})
		var counts consumer.FeedCounts
		refused := 0
		drain := func() {
			for n := 0; ; n++ {
				fed := feed.Next()
				if fed == nil {
					return
				}
				counts.Records += fed.Counts.Records
				counts.Samples += fed.Counts.Samples
				refused += len(fed.Refused)
				for _, b := range fed.Batches {
					var batch windows.Batch
					if err := batch.Decode(b.Data); err != nil {
						t.Fatal(err)
					}
				}
				feed.Recycle(fed)
				if n > 20 { // a gap of years, minute by minute
					t.Skip()
				}
			}
		}
		for i, e := range events {
			feed.Add(&consumer.Record{Offset: int64(i), Value: e})
			drain()
		}
		feed.End()
		drain()
		if counts.Samples > counts.Records {
			t.Errorf("%+v", counts)
		}
	})
}
