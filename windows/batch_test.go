package windows

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sampleBatch() []byte {
	e := NewEncoder()
	for i := range 5 {
		s := Sample{
			Position: Position{Offset: 40 + int64(i/2), Index: uint32(i % 2)}, Time: 1e18 + int64(i)*1e9,
			Cell: AppendKey(nil, "refund_handler", "v18", "enterprise", "de"), Axes: AppendKey(nil, "b1d7e4", "m", ""),
			Mask: MaskCall | 1<<BuiltinLatency | 1<<BuiltinCost,
		}
		s.Values[BuiltinLatency], s.Values[BuiltinCost] = 1.25, 0.0028
		if i == 3 {
			s.Mask |= MaskTrace
			s.TraceID[0], s.SpanID[7] = 0x5b, 0x74
			s.Scores = []Score{{Rubric: []byte("citation_grounding"), Value: 0.91}}
		}
		e.Add(&s)
	}
	return e.AppendBatch(nil, &Header{
		Source: Source{Topic: "spans", Partition: 3, Incarnation: [16]byte{1}}, Clock: 5, Watermark: 4,
		Dimensions: []string{"tier", "locale"}, Announced: []Source{{Topic: "spans", Partition: 4}},
	})
}

func TestBatchRoundTrip(t *testing.T) {
	var b Batch
	for range 2 { // the second time into used slices
		if err := b.Decode(sampleBatch()); err != nil {
			t.Fatal(err)
		}
		want := Header{
			Source: Source{Topic: "spans", Partition: 3, Incarnation: [16]byte{1}}, Clock: 5, Watermark: 4,
			Dimensions: []string{"tier", "locale"}, Announced: []Source{{Topic: "spans", Partition: 4}},
		}
		if d := cmp.Diff(want, b.Header); d != "" {
			t.Error(d)
		}
		if b.Len() != 5 || len(b.Cells) != 1 || len(b.Shapes) != 2 {
			t.Fatalf("%d samples, %d cells, %d shapes", b.Len(), len(b.Cells), len(b.Shapes))
		}
		pos := []Position{{40, 0}, {40, 1}, {41, 0}, {41, 1}, {42, 0}}
		if d := cmp.Diff(pos, b.Pos); d != "" {
			t.Error(d)
		}
		if b.Time[4] != 1e18+4e9 || string(b.Shapes[b.Shape[3]].Rubrics[0]) != "citation_grounding" || b.traces[0] != 0x5b || b.traces[23] != 0x74 {
			t.Errorf("times %v, traces %x", b.Time, b.traces)
		}
		var got []float64
		for v := b.values; len(v) > 0; v = v[8:] {
			got = append(got, math.Float64frombits(binary.LittleEndian.Uint64(v)))
		}
		if d := cmp.Diff([]float64{1.25, 0.0028, 1.25, 0.0028, 1.25, 0.0028, 1.25, 0.0028, 0.91, 1.25, 0.0028}, got); d != "" {
			t.Error(d)
		}
	}
}

func TestBatchKnownStringsAllocateNothing(t *testing.T) {
	e := NewEncoder()
	s := Sample{Cell: AppendKey(nil, "p", "v", "t", "l"), Axes: AppendKey(nil, "h"), Mask: MaskCall | 1, Scores: []Score{{Rubric: []byte("r"), Value: 1}}}
	var out []byte
	fill := func() {
		for i := range 100 {
			s.Offset = int64(i)
			e.Add(&s)
		}
		out = e.AppendBatch(out[:0], &Header{})
		e.Reset()
	}
	fill()
	if n := testing.AllocsPerRun(100, fill); n != 0 {
		t.Errorf("%v allocations a batch of known strings", n)
	}
}

func FuzzBatchDecode(f *testing.F) {
	f.Add(sampleBatch())
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 5 { // let mutations past the checksum
			data[0] = batchVersion
			binary.LittleEndian.PutUint32(data[1:], crc32.Checksum(data[5:], castagnoli))
		}
		var b Batch
		if b.Decode(data) != nil {
			return
		}
		s := NewStore(Options{})
		s.Fold(&b)
	})
}

// Of strings that come once nothing is kept, in whatever numbers they come; cells that are known are numbered anew in each batch.
func TestEncoderKeepsNoStrings(t *testing.T) {
	e, known := NewEncoder(), make([]Known, 10)
	var b Batch
	batch := func(first, n int) {
		t.Helper()
		for i := first; i < first+n; i++ {
			s := Sample{
				Position: Position{Offset: int64(i)}, Cell: AppendKey(nil, "p", fmt.Sprint(i)), Axes: AppendKey(nil, fmt.Sprint(i), "m"),
				Scores: []Score{{Rubric: fmt.Append(nil, i), Value: 1}},
			}
			if i < len(known) {
				s.Known = &known[i]
			}
			e.Add(&s)
			e.Add(&Sample{Position: Position{Offset: int64(i), Index: 1}, Cell: s.Cell, Axes: AppendKey(nil, "h"), Mask: MaskCall})
		}
		if err := b.Decode(e.AppendBatch(nil, &Header{})); err != nil {
			t.Fatal(err)
		}
		e.Reset()
		if len(b.Cells) != n || len(b.Axes) != n+1 || len(b.Shapes) != n+1 {
			t.Fatalf("%d cells, %d axes and %d shapes of %d tuples", len(b.Cells), len(b.Axes), len(b.Shapes), n)
		}
		for i := range 2 * n {
			if cell := string(b.Cells[b.Cell[i]]); cell != string(AppendKey(nil, "p", fmt.Sprint(first+i/2))) {
				t.Fatalf("sample %d is of cell %q", i, cell)
			}
		}
	}
	batch(0, 3000)
	full := e.room()
	for i := range 20 {
		batch(i*3000, 3000)
	}
	if got := e.room(); got > 2*full {
		t.Errorf("room of %d kB after other batches like the first, which took %d kB", got>>10, full>>10)
	}
	for range smallBatches {
		batch(0, 8)
	}
	if got := e.room(); got > 8<<10 {
		t.Errorf("room of %d kB is left after small batches", got>>10)
	}
	batch(0, 3000)
	e.Reset() // a heartbeat
	if got := e.room(); got > 0 {
		t.Errorf("room of %d kB is left after an empty batch", got>>10)
	}
}
