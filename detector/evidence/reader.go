package evidence

import (
	"encoding/binary"
	"errors"
	"math"
)

// errState is returned by Load for bytes that Save has not written.
var errState = errors.New("saved evidence is cut short or damaged")

// reader reads what Save writes. Past the end, or after what is no number, it gives zeros, and err is set.
type reader struct {
	b   []byte
	err bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.err = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) float() float64 {
	if len(r.b) < 8 {
		r.b, r.err = nil, true
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	if v != v {
		r.err = true
	}
	return v
}

func appendFloat(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
}
