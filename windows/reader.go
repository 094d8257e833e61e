package windows

import (
	"encoding/binary"
	"math"
	"slices"
)

// reader walks a byte string; a bad read sets err and yields zeros, so that one check at the end is enough.
type reader struct {
	b   []byte
	err bool
}

func (r *reader) uvarint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.err, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count is a number of things that take a byte each at least, so that no more is allocated for them than in proportion to
// the record.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.err = true
		return 0
	}
	return int(n)
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.err, r.b = true, nil
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) bytes() []byte { return r.take(r.uvarint()) }

func (r *reader) uint64() uint64 {
	if p := r.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

func (r *reader) float() float64 { return math.Float64frombits(r.uint64()) }

func (r *reader) source() Source {
	s := Source{Topic: string(r.bytes()), Partition: int32(r.uvarint())}
	copy(s.Incarnation[:], r.take(16))
	return s
}

func (r *reader) strings(dst []string, n int) []string {
	for i := range n {
		p := r.bytes()
		if i < cap(dst) && dst[:i+1][i] == string(p) { // as in the batch before: keep that string
			dst = dst[:i+1]
			continue
		}
		dst = append(dst, string(p))
	}
	return dst
}

func (r *reader) table(dst [][]byte) [][]byte {
	for range r.count() {
		dst = append(dst, r.bytes())
	}
	return dst
}

func (r *reader) column(dst []uint32, n, limit int) []uint32 {
	dst = slices.Grow(dst[:0], n)[:0]
	for range n {
		v := r.uvarint()
		if v >= uint64(limit) {
			r.err = true
			return dst
		}
		dst = append(dst, uint32(v))
	}
	return dst
}
