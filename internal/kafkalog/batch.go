package kafkalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A record batch of Kafka's format 2: all numbers big endian, those of records zigzag varints.
//
//	 0 base offset         8
//	 8 length after this   4
//	12 leader epoch        4
//	16 magic (2)           1
//	17 CRC32C of the rest  4
//	21 attributes          2   bits 0-2 codec, 3 append time, 4 transactional, 5 control
//	23 last offset delta   4
//	27 base timestamp      8
//	35 max timestamp       8
//	43 producer id         8
//	51 producer epoch      2
//	53 base sequence       4
//	57 number of records   4
//	61 records
const (
	batchFrame  = 12 // base offset and length
	batchHeader = 61

	attrCodec         = 0x07
	attrAppendTime    = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20

	maxHeaders = 1 << 16 // two bytes of a batch can claim one, which takes forty here
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errShort = errors.New("it ends inside a record")

type abortedTxn struct{ producer, first int64 }

// Fetched walks what one Fetch brought. It belongs to its fetcher's goroutine.
type Fetched struct {
	topic          string
	partition      int
	set            []byte // what is left of the answer's batches
	from           int64  // records below were not asked for
	next           int64
	end, start     int64
	err            error
	rec            Record
	headerKeys     map[string]string
	aborted        []abortedTxn // still to come, by first offset
	aborting       []int64      // producers whose aborted transaction is open at this point of the log
	inflated       []byte
	batch          []byte // what is left of the current batch's records
	left           int    // records of the current batch not yet read
	whole          bool   // a complete batch was seen
	base, baseTime int64
	last           int64 // the current batch's last offset
	appendTime     int64 // -1: the record's own
}

func (f *Fetched) reset(topic string, partition int, set []byte, from, end, start int64) {
	f.topic, f.partition = topic, partition
	f.set, f.from, f.next, f.end, f.start = set, from, from, end, start
	f.err, f.left, f.batch, f.whole, f.aborting = nil, 0, nil, false, f.aborting[:0]
}

// Next moves to the next record and tells whether there is one. After false, Err says whether that is the end of what was fetched or
// a broken batch.
func (f *Fetched) Next() bool {
	if f.err != nil {
		return false
	}
	for {
		for f.left > 0 {
			f.left--
			if err := f.readRecord(); err != nil {
				f.next = f.last + 1
				f.fail(f.base, fmt.Errorf("broken record batch: %w", err))
				return false
			}
			if f.rec.Offset >= f.next {
				f.next = f.rec.Offset + 1
				return true
			}
		}
		if f.batch != nil {
			f.batch = nil
			f.next = max(f.next, f.last+1)
		}
		if !f.nextBatch() {
			return false
		}
	}
}

// Record is the record that Next moved to.
func (f *Fetched) Record() *Record { return &f.rec }

// Err tells why the walk ended before the end of what was fetched, naming topic, partition and offset; nil when it did not.
// NextOffset has then moved past what could not be read.
func (f *Fetched) Err() error { return f.err }

// NextOffset is where to fetch next: behind the last record, and after the walk also behind control batches, gaps, emptied
// batches and a broken one.
func (f *Fetched) NextOffset() int64 { return f.next }

// HighWatermark is the end of what could be read when the answer was made: the offset that the next record will have, or the
// first of an open transaction.
func (f *Fetched) HighWatermark() int64 { return f.end }

// LogStart is the offset of the log's first record when the answer was made; -1 when the broker did not say.
func (f *Fetched) LogStart() int64 { return f.start }

func (f *Fetched) fail(offset int64, err error) {
	f.err = fmt.Errorf("read %s[%d]@%d: %w", f.topic, f.partition, offset, err)
	f.left, f.batch = 0, nil
}

// nextBatch opens the next batch that may hold wanted records. false at the end, also of an incomplete batch, which brokers send when
// the answer's size is reached.
func (f *Fetched) nextBatch() bool {
	for len(f.set) > batchFrame {
		size := batchFrame + int(int32(binary.BigEndian.Uint32(f.set[8:])))
		base := int64(binary.BigEndian.Uint64(f.set))
		switch {
		case size <= 16 || base < 0:
			f.next = max(f.next, f.end) // the frame is lost, and with it everything behind
			f.fail(f.from, fmt.Errorf("broken record batch: %d bytes from offset %d on are not plausible", size, base))
			f.set = nil
			return false
		case size > len(f.set):
			if !f.whole { // brokers send the first batch whole, however large it is
				f.fail(base, fmt.Errorf("only %d of a record batch's %d bytes were sent", len(f.set), size))
			}
			f.set = nil
			return false
		}
		f.whole = true
		b := f.set[:size:size]
		f.set = f.set[size:]
		if err := f.openBatch(b, base); err != nil {
			f.next = max(f.next, base+1, f.past(base, b))
			f.fail(base, err)
			return false
		}
		if f.batch != nil {
			return true
		}
	}
	return false
}

// past guesses where the log goes on behind a batch whose header cannot be trusted.
func (f *Fetched) past(base int64, b []byte) int64 {
	if len(f.set) >= 8 {
		if next := int64(binary.BigEndian.Uint64(f.set)); next > base {
			return next
		}
	}
	if b[16] != 2 || len(b) < batchHeader {
		return base + 1
	}
	return max(base+1, min(base+1+int64(int32(binary.BigEndian.Uint32(b[23:]))), f.end))
}

// openBatch checks a batch and makes its records ready, or steps over it when none is wanted; then f.batch stays nil.
func (f *Fetched) openBatch(b []byte, base int64) error {
	if magic := b[16]; magic != 2 {
		return fmt.Errorf("record format %d is not supported, only 2 (Kafka 0.11 and later)", magic)
	}
	if len(b) < batchHeader {
		return fmt.Errorf("broken record batch: only %d bytes", len(b))
	}
	if want, have := binary.BigEndian.Uint32(b[17:]), crc32.Checksum(b[21:], castagnoli); want != have {
		return fmt.Errorf("broken record batch: its checksum is %08x, not %08x", have, want)
	}
	attrs := binary.BigEndian.Uint16(b[21:])
	delta := int32(binary.BigEndian.Uint32(b[23:]))
	count := int32(binary.BigEndian.Uint32(b[57:]))
	if delta < 0 || count < 0 {
		return fmt.Errorf("broken record batch: %d records over %d offsets", count, int64(delta)+1)
	}
	last := base + int64(delta)
	skip := last < f.next || count == 0
	if f.transaction(attrs, int64(binary.BigEndian.Uint64(b[43:])), last, b[batchHeader:]) {
		skip = true
	}
	if skip {
		f.next = max(f.next, last+1)
		return nil
	}
	records := b[batchHeader:]
	if codec := attrs & attrCodec; codec != 0 {
		var err error
		if f.inflated, err = inflate(codec, records, f.inflated, maxInflated); err != nil {
			return err
		}
		records = f.inflated
	}
	f.batch, f.left, f.base, f.last = records, int(count), base, last
	f.baseTime, f.appendTime = int64(binary.BigEndian.Uint64(b[27:])), -1
	if attrs&attrAppendTime != 0 {
		f.appendTime = int64(binary.BigEndian.Uint64(b[35:]))
	}
	return nil
}

// transaction keeps track of aborted transactions and tells whether the batch is none of the reader's business: a control batch, or
// one of an aborted transaction.
func (f *Fetched) transaction(attrs uint16, producer, last int64, records []byte) bool {
	for len(f.aborted) > 0 && f.aborted[0].first <= last {
		f.aborting = append(f.aborting, f.aborted[0].producer)
		f.aborted = f.aborted[1:]
	}
	if attrs&(attrControl|attrTransactional) == 0 {
		return false
	}
	at := -1
	for i, p := range f.aborting {
		if p == producer {
			at = i
		}
	}
	if attrs&attrControl == 0 {
		return at >= 0
	}
	// A marker of either kind ends its producer's transaction.
	if at >= 0 {
		f.aborting = append(f.aborting[:at], f.aborting[at+1:]...)
	}
	return true
}

// readRecord decodes the record at the front of f.batch into f.rec.
func (f *Fetched) readRecord() error {
	size, rest, ok := varint(f.batch)
	if !ok || size < 0 || size > int64(len(rest)) {
		return errShort
	}
	b := rest[:size:size]
	f.batch = rest[size:]
	if len(b) < 1 {
		return errShort
	}
	time, b, ok1 := varint(b[1:]) // behind the attributes, which are unused
	delta, b, ok2 := varint(b)
	if !ok1 || !ok2 {
		return errShort
	}
	if delta < 0 || delta > f.last-f.base {
		return fmt.Errorf("a record is %d offsets behind the first, beyond the batch's end", delta)
	}
	r := &f.rec
	r.Offset, r.Time = f.base+delta, f.baseTime+time
	if f.appendTime >= 0 {
		r.Time = f.appendTime
	}
	if r.Key, b, ok = bytesField(b); !ok {
		return errShort
	}
	if r.Value, b, ok = bytesField(b); !ok {
		return errShort
	}
	r.Headers = r.Headers[:0]
	n, b, ok := varint(b)
	if !ok || n < 0 || n > int64(len(b)) {
		return errShort
	}
	if n > maxHeaders {
		return fmt.Errorf("a record has %d headers, more than %d", n, maxHeaders)
	}
	for ; n > 0; n-- {
		var key, value []byte
		if key, b, ok = bytesField(b); !ok {
			return errShort
		}
		if value, b, ok = bytesField(b); !ok {
			return errShort
		}
		r.Headers = append(r.Headers, Header{Key: f.headerKey(key), Value: value})
	}
	return nil
}

// headerKey returns key as a string, without allocation for keys seen before; a producer uses few.
func (f *Fetched) headerKey(key []byte) string {
	const kept = 64
	if s, ok := f.headerKeys[string(key)]; ok {
		return s
	}
	s := string(key)
	if f.headerKeys == nil {
		f.headerKeys = make(map[string]string)
	}
	if len(f.headerKeys) < kept {
		f.headerKeys[s] = s
	}
	return s
}

// varint reads a zigzag number. Most have one byte or two.
func varint(b []byte) (v int64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return int64(b[0]>>1) ^ -int64(b[0]&1), b[1:], true
	}
	if len(b) > 1 && b[1] < 0x80 {
		return (int64(b[0]&0x7f)|int64(b[1])<<7)>>1 ^ -int64(b[0]&1), b[2:], true
	}
	v, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// bytesField reads bytes with their length before them; a negative length means nil.
func bytesField(b []byte) (field, rest []byte, ok bool) {
	n, b, ok := varint(b)
	switch {
	case !ok || n > int64(len(b)):
		return nil, nil, false
	case n < 0:
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}
