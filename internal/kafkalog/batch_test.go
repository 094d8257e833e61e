package kafkalog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/compress"
)

// testBatch is a record batch with one record for each offset, which stands in its value too; last is the batch's last offset.
func testBatch(last int64, attrs uint16, offsets ...int64) []byte {
	base := last
	if len(offsets) > 0 {
		base = offsets[0]
	}
	return testBatchAt(base, last, attrs, offsets...)
}

func testBatchAt(base, last int64, attrs uint16, offsets ...int64) []byte {
	head := appendBatch(nil, []Message{{Time: time.UnixMilli(1000)}}, []int{0}, time.Time{})[:batchHeader]
	var records []byte
	for _, o := range offsets {
		m := Message{Key: []byte("key"), Value: fmt.Append(nil, o), Headers: []Header{{Key: "h", Value: []byte{1}}}}
		records = appendRecord(records, &m, o, int(o-base))
	}
	be := binary.BigEndian
	if codec := attrs & attrCodec; codec != 0 {
		var out bytes.Buffer
		w := compress.Compression(codec).Codec().NewWriter(&out)
		w.Write(records)
		w.Close()
		records = out.Bytes()
	}
	b := append(head, records...)
	be.PutUint64(b, uint64(base))
	be.PutUint16(b[21:], attrs)
	be.PutUint32(b[23:], uint32(last-base))
	be.PutUint64(b[27:], 1000)
	be.PutUint64(b[35:], 7777)
	be.PutUint32(b[57:], uint32(len(offsets)))
	return seal(b)
}

// seal sets a batch's length and checksum.
func seal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-batchFrame))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

func ofProducer(b []byte, id int64) []byte {
	binary.BigEndian.PutUint64(b[43:], uint64(id))
	return seal(b)
}

func walk(f *Fetched) (offsets []int64) {
	for f.Next() {
		offsets = append(offsets, f.Record().Offset)
	}
	return offsets
}

func TestWalk(t *testing.T) {
	const transactional = attrTransactional
	const marker = attrTransactional | attrControl
	truncated := testBatch(9, 0, 8, 9)
	truncated = truncated[:len(truncated)-3]
	wrong := func(b []byte, change func(b []byte)) []byte { change(b); return b }
	old := func(magic byte, offset int64) []byte {
		b := make([]byte, 34)
		binary.BigEndian.PutUint64(b, uint64(offset))
		binary.BigEndian.PutUint32(b[8:], uint32(len(b)-batchFrame))
		b[16] = magic
		return b
	}
	for name, c := range map[string]struct {
		from    int64
		set     [][]byte
		aborted []abortedTxn
		want    []int64
		next    int64
		err     string
	}{
		"nothing":                       {from: 5, next: 5},
		"one batch":                     {set: [][]byte{testBatch(2, 0, 0, 1, 2)}, want: []int64{0, 1, 2}, next: 3},
		"from its middle":               {from: 1, set: [][]byte{testBatch(2, 0, 0, 1, 2)}, want: []int64{1, 2}, next: 3},
		"a batch before":                {from: 3, set: [][]byte{testBatch(2, 0, 0, 1, 2), testBatch(3, 0, 3)}, want: []int64{3}, next: 4},
		"gaps of compaction":            {set: [][]byte{testBatchAt(0, 9, 0, 2, 5), testBatchAt(20, 29, 0, 21)}, want: []int64{2, 5, 21}, next: 30},
		"emptied batch":                 {from: 1, set: [][]byte{testBatchAt(0, 9, 0)}, next: 10},
		"emptied among others":          {set: [][]byte{testBatch(0, 0, 0), testBatchAt(1, 9, 0), testBatch(10, 0, 10)}, want: []int64{0, 10}, next: 11},
		"cut at the end":                {set: [][]byte{testBatch(7, 0, 7), truncated}, want: []int64{7}, next: 8},
		"cut inside the frame":          {set: [][]byte{testBatch(7, 0, 7), truncated[:9]}, want: []int64{7}, next: 8},
		"control batch":                 {set: [][]byte{testBatch(0, marker, 0), testBatch(1, 0, 1)}, want: []int64{1}, next: 2},
		"control batch at the end":      {set: [][]byte{testBatch(0, 0, 0), testBatch(1, marker, 1)}, want: []int64{0}, next: 2},
		"committed transaction":         {set: [][]byte{ofProducer(testBatch(0, transactional, 0), 7), ofProducer(testBatch(1, marker, 1), 7)}, want: []int64{0}, next: 2},
		"cut in the first":              {from: 8, set: [][]byte{truncated}, next: 8, err: "of a record batch's"},
		"checksum":                      {set: [][]byte{testBatch(0, 0, 0), wrong(testBatch(3, 0, 1, 2, 3), func(b []byte) { b[70] ^= 1 }), testBatch(4, 0, 4)}, want: []int64{0}, next: 4, err: "read t[3]@1: broken record batch: its checksum"},
		"checksum of the last":          {set: [][]byte{wrong(testBatch(3, 0, 1, 2, 3), func(b []byte) { b[70] ^= 1 })}, next: 4, err: "checksum"},
		"checksum, absurd last offset":  {set: [][]byte{wrong(testBatch(3, 0, 1, 2, 3), func(b []byte) { b[23] = 0x7f })}, next: 100, err: "checksum"},
		"frame":                         {set: [][]byte{wrong(testBatch(3, 0, 1, 2, 3), func(b []byte) { b[8] = 0xff })}, next: 100, err: "not plausible"},
		"unknown codec":                 {set: [][]byte{seal(wrong(testBatch(3, 0, 1, 2, 3), func(b []byte) { b[22] = 6 }))}, next: 4, err: "read t[3]@1: decompress record batch: unknown codec 6"},
		"record beyond the batch":       {set: [][]byte{seal(wrong(testBatch(3, 0, 1, 2, 3), func(b []byte) { b[26] = 1 })), testBatch(4, 0, 4)}, want: []int64{1, 2}, next: 3, err: "beyond the batch's end"},
		"more records than there are":   {set: [][]byte{seal(wrong(testBatch(3, 0, 1, 2, 3), func(b []byte) { b[60] = 9 }))}, want: []int64{1, 2, 3}, next: 4, err: "ends inside a record"},
		"negative count":                {set: [][]byte{seal(wrong(testBatch(3, 0, 1, 2, 3), func(b []byte) { b[57] = 0xff }))}, next: 4, err: "records over"},
		"format 1":                      {set: [][]byte{old(1, 6), testBatch(7, 0, 7)}, next: 7, err: "read t[3]@6: record format 1 is not supported"},
		"format 0 at the end":           {set: [][]byte{old(0, 6)}, next: 7, err: "read t[3]@6: record format 0 is not supported"},
		"format 3":                      {set: [][]byte{seal(wrong(testBatch(7, 0, 7), func(b []byte) { b[16] = 3 }))}, next: 8, err: "record format 3"},
		"aborted transaction":           {set: [][]byte{testBatch(0, 0, 0), ofProducer(testBatch(1, transactional, 1), 7), ofProducer(testBatch(2, transactional, 2), 8), ofProducer(testBatch(3, marker, 3), 7), ofProducer(testBatch(4, transactional, 4), 7)}, aborted: []abortedTxn{{7, 1}}, want: []int64{0, 2, 4}, next: 5},
		"aborted, plain of same id":     {set: [][]byte{ofProducer(testBatch(1, transactional, 1), 7), ofProducer(testBatch(2, 0, 2), 7)}, aborted: []abortedTxn{{7, 0}}, want: []int64{2}, next: 3},
		"two aborted of one producer":   {set: [][]byte{ofProducer(testBatch(0, transactional, 0), 7), ofProducer(testBatch(1, marker, 1), 7), ofProducer(testBatch(2, transactional, 2), 7), ofProducer(testBatch(3, marker, 3), 7), testBatch(4, 0, 4)}, aborted: []abortedTxn{{7, 0}, {7, 2}}, want: []int64{4}, next: 5},
		"offsets that go back are left": {from: 2, set: [][]byte{testBatchAt(2, 5, 0, 4, 3, 5)}, want: []int64{4, 5}, next: 6},
	} {
		t.Run(name, func(t *testing.T) {
			f := &Fetched{aborted: c.aborted}
			f.reset("t", 3, bytes.Join(c.set, nil), c.from, 100, 0)
			got := walk(f)
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("offsets %v, want %v", got, c.want)
			}
			if f.NextOffset() != c.next {
				t.Errorf("goes on at %d, want %d", f.NextOffset(), c.next)
			}
			if says := fmt.Sprint(f.Err()); c.err == "" && f.Err() != nil || !strings.Contains(says, c.err) {
				t.Errorf("error %q, want %q", says, c.err)
			}
			if f.Next() {
				t.Error("goes on after the end")
			}
		})
	}
}

func TestWalkCodecs(t *testing.T) {
	for codec := range uint16(5) {
		f := new(Fetched)
		f.reset("t", 0, testBatch(5, codec, 3, 4, 5), 0, 6, 0)
		for want := int64(3); f.Next(); want++ {
			r := f.Record()
			if r.Offset != want || r.Time != 1000+want || string(r.Key) != "key" || string(r.Value) != fmt.Sprint(want) ||
				len(r.Headers) != 1 || r.Headers[0].Key != "h" || string(r.Headers[0].Value) != "\x01" {
				t.Errorf("codec %d: %+v", codec, r)
			}
		}
		if f.Err() != nil || f.NextOffset() != 6 {
			t.Errorf("codec %d: %v, next %d", codec, f.Err(), f.NextOffset())
		}
	}
}

func TestAppendTime(t *testing.T) {
	f := new(Fetched)
	f.reset("t", 0, testBatch(1, attrAppendTime, 0, 1), 0, 2, 0)
	for f.Next() {
		if got := f.Record().Time; got != 7777 {
			t.Errorf("time %d, want the batch's max timestamp", got)
		}
	}
}

func TestNextOffsetWhileWalking(t *testing.T) {
	f := new(Fetched)
	f.reset("t", 0, testBatchAt(0, 9, 0, 2, 5), 0, 10, 0)
	for _, want := range []int64{0, 3, 6} {
		if got := f.NextOffset(); got != want {
			t.Errorf("next %d, want %d", got, want)
		}
		f.Next()
	}
	if got := f.NextOffset(); got != 10 {
		t.Errorf("next %d, want 10", got)
	}
}

// TestBombs feeds what would grow without end, or claims to.
func TestBombs(t *testing.T) {
	const limit = 1 << 20
	zeros := func(codec uint16, size int) []byte {
		var out bytes.Buffer
		w := compress.Compression(codec).Codec().NewWriter(&out)
		io.CopyN(w, zeroReader{}, int64(size))
		w.Close()
		return out.Bytes()
	}
	for name, c := range map[string]struct {
		codec uint16
		data  []byte
	}{
		"gzip":               {1, zeros(1, limit+1)},
		"snappy block":       {2, binary.AppendUvarint(nil, 1<<32-1)},
		"snappy frame":       {2, append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), 0xff, 0xff, 0xff, 0xff, 0)},
		"snappy frame block": {2, append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x0f)},
		"lz4":                {3, zeros(3, limit+1)},
		"snappy":             {2, zeros(2, limit+1)},
		"zstd":               {4, zeros(4, limit+1)},
		"zstd window":        {4, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00}},
	} {
		if out, err := inflate(c.codec, c.data, nil, limit); err == nil || len(out) != 0 {
			t.Errorf("%s: %d bytes, error %v", name, len(out), err)
		}
	}
	for codec := range uint16(4) {
		if _, err := inflate(codec+1, zeros(codec+1, limit+1), nil, limit); !errors.Is(err, errBomb) {
			t.Errorf("codec %d: %v, want %v", codec+1, err, errBomb)
		}
		if out, err := inflate(codec+1, zeros(codec+1, limit), nil, limit); err != nil || len(out) != limit {
			t.Errorf("codec %d: %d bytes, %v", codec+1, len(out), err)
		}
	}
}

type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestWalkAllocatesNothing(t *testing.T) {
	var offsets []int64
	for o := range int64(1000) {
		offsets = append(offsets, o)
	}
	set := testBatch(999, 0, offsets...)
	f := new(Fetched)
	n := testing.AllocsPerRun(10, func() {
		f.reset("t", 0, set, 0, 1000, 0)
		if got := 0; true {
			for f.Next() {
				got++
			}
			if got != 1000 {
				t.Fatal(got, f.Err())
			}
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for 1000 records", n)
	}
}

func FuzzWalk(f *testing.F) {
	for codec := range uint16(5) {
		f.Add(testBatch(5, codec, 3, 4, 5), true)
	}
	f.Add(bytes.Join([][]byte{testBatchAt(0, 9, 0, 2, 5), testBatchAt(10, 19, 0), testBatch(20, attrControl|attrTransactional, 20)}, nil), false)
	f.Add([]byte{}, false)
	w := new(Fetched)
	f.Fuzz(func(t *testing.T, set []byte, sealed bool) {
		if len(set) > 1<<16 {
			return
		}
		if set = bytes.Clone(set); sealed && len(set) > batchHeader {
			seal(set)
		}
		w.reset("t", 0, set, 2, 1<<40, 0)
		w.aborted = []abortedTxn{{-1, 3}, {5, 4}}
		next := w.NextOffset()
		for n := 0; w.Next(); n++ {
			r := w.Record()
			if r.Offset < next || w.NextOffset() != r.Offset+1 {
				t.Fatalf("offset %d, next %d, before it %d", r.Offset, w.NextOffset(), next)
			}
			if next = w.NextOffset(); len(r.Headers) > 1<<16 {
				t.Fatal("more headers than bytes")
			}
		}
		if w.NextOffset() < next {
			t.Fatalf("goes back from %d to %d", next, w.NextOffset())
		}
		if cap(w.inflated) > 2*maxInflated {
			t.Fatalf("a buffer of %d bytes for %d", cap(w.inflated), len(set))
		}
	})
}
