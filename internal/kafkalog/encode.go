package kafkalog

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// appendBatch appends the messages at the given positions, at least one, as one uncompressed record batch.
func appendBatch(dst []byte, msgs []Message, at []int, now time.Time) []byte {
	millis := func(i int) int64 {
		if t := msgs[i].Time; !t.IsZero() {
			return t.UnixMilli()
		}
		return now.UnixMilli()
	}
	base := millis(at[0])
	newest := base
	for _, i := range at[1:] {
		newest = max(newest, millis(i))
	}
	start := len(dst)
	be := binary.BigEndian
	dst = be.AppendUint64(dst, 0)                 // base offset: the broker's to give
	dst = be.AppendUint32(dst, 0)                 // length, below
	dst = be.AppendUint32(dst, ^uint32(0))        // leader epoch: unknown
	dst = append(dst, 2)                          // magic
	dst = be.AppendUint32(dst, 0)                 // checksum, below
	dst = be.AppendUint16(dst, 0)                 // attributes
	dst = be.AppendUint32(dst, uint32(len(at)-1)) // last offset delta
	dst = be.AppendUint64(dst, uint64(base))      // base timestamp
	dst = be.AppendUint64(dst, uint64(newest))    // max timestamp
	dst = be.AppendUint64(dst, ^uint64(0))        // producer id: none
	dst = be.AppendUint16(dst, ^uint16(0))        // producer epoch
	dst = be.AppendUint32(dst, ^uint32(0))        // base sequence
	dst = be.AppendUint32(dst, uint32(len(at)))   // records
	for delta, i := range at {
		dst = appendRecord(dst, &msgs[i], millis(i)-base, delta)
	}
	b := dst[start:]
	be.PutUint32(b[8:], uint32(len(b)-batchFrame))
	be.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return dst
}

func appendRecord(dst []byte, m *Message, time int64, delta int) []byte {
	size := 1 + sizeVarint(time) + sizeVarint(int64(delta)) + sizeBytes(m.Key) + sizeBytes(m.Value) + sizeVarint(int64(len(m.Headers)))
	for i := range m.Headers {
		key := len(m.Headers[i].Key)
		size += sizeVarint(int64(key)) + key + sizeBytes(m.Headers[i].Value)
	}
	dst = binary.AppendVarint(dst, int64(size))
	dst = append(dst, 0) // attributes
	dst = binary.AppendVarint(dst, time)
	dst = binary.AppendVarint(dst, int64(delta))
	dst = appendBytes(dst, m.Key)
	dst = appendBytes(dst, m.Value)
	dst = binary.AppendVarint(dst, int64(len(m.Headers)))
	for i := range m.Headers {
		dst = binary.AppendVarint(dst, int64(len(m.Headers[i].Key)))
		dst = append(dst, m.Headers[i].Key...)
		dst = appendBytes(dst, m.Headers[i].Value)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

func sizeBytes(b []byte) int {
	if b == nil {
		return 1
	}
	return sizeVarint(int64(len(b))) + len(b)
}

func sizeVarint(v int64) int {
	n := 1
	for u := uint64(v<<1) ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
