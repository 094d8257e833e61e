package kafkalog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
)

// maxInflated bounds the size in bytes of a batch after decompression: a small batch can be made to grow without end.
const maxInflated = 128 << 20

var errBomb = errors.New("it is too large")

// inflate decompresses src into buf, which grows as needed up to limit bytes or little more.
func inflate(codec uint16, src, buf []byte, limit int) ([]byte, error) {
	c := compress.Compression(codec).Codec()
	if c == nil {
		return buf[:0], fmt.Errorf("decompress record batch: unknown codec %d", codec)
	}
	out, err := inflateWith(c, src, buf, limit)
	if err != nil {
		return buf[:0], fmt.Errorf("decompress record batch (%s): %w", c.Name(), err)
	}
	return out, nil
}

func inflateWith(c compress.Codec, src, buf []byte, limit int) ([]byte, error) {
	if err := plausible(c, src, limit); err != nil {
		return nil, err
	}
	if cap(buf) > spare && cap(buf)/16 > len(src) {
		buf = nil
	}
	buf = buf[:0]
	if cap(buf) == 0 {
		buf = make([]byte, 0, max(4*len(src), 4<<10))
	}
	r := c.NewReader(bytes.NewReader(src))
	defer r.Close()
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		if buf = buf[:len(buf)+n]; len(buf) > limit {
			return nil, fmt.Errorf("%w, more than %d bytes", errBomb, limit)
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// plausible refuses what would make a decoder allocate by a number that the data claims.
func plausible(c compress.Codec, src []byte, limit int) error {
	switch compress.Compression(c.Code()) {
	case compress.Zstd:
		var h zstd.Header
		if err := h.Decode(src); err != nil {
			return err
		}
		if h.WindowSize > maxInflated {
			return errBomb
		}
	case compress.Snappy:
		return plausibleSnappy(src, limit)
	}
	return nil
}

// plausibleSnappy checks the sizes that snappy data claims: one block, or, as Java clients write it, blocks with their length
// before them behind a header of 16 bytes (xerial).
func plausibleSnappy(src []byte, limit int) error {
	xerial := []byte("\x82SNAPPY\x00")
	if len(src) < 16 || !bytes.HasPrefix(src, xerial) {
		return plausibleBlock(src, limit)
	}
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(src)
		if src = src[4:]; uint64(n) > uint64(len(src)) {
			return io.ErrUnexpectedEOF
		}
		if err := plausibleBlock(src[:n], limit); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

func plausibleBlock(b []byte, limit int) error {
	n, w := binary.Uvarint(b)
	switch {
	case w <= 0:
		return io.ErrUnexpectedEOF
	case n > uint64(limit):
		return errBomb
	}
	return nil
}
