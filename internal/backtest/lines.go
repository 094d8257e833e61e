package backtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// MaxLine bounds an event, bytes: brokers take no larger record unless they are told to.
const MaxLine = 1 << 20

// ErrLong is of a line that is longer.
var ErrLong = fmt.Errorf("longer than %d KiB", MaxLine>>10)

// Lines reads a file of JSON lines, gzipped or not, in constant memory. It is owned by one goroutine; Read is for all.
type Lines struct {
	in     *bufio.Reader
	read   *atomic.Int64
	number int64
}

// NewLines reads r, in a goroutine that ends with r or with ctx; one that waits for r when ctx ends is left behind, for the process
// to end.
func NewLines(ctx context.Context, r io.Reader) *Lines {
	read := new(atomic.Int64)
	return &Lines{in: bufio.NewReaderSize(newAhead(ctx, &unpacking{in: bufio.NewReaderSize(&counting{r, read}, blockSize)}), MaxLine), read: read}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// Next gives the next line that is not blank, without its end, and its number, from 1. The line is valid until the next call. The
// error is io.EOF at the end, ErrLong of a line that is too long, after which one can go on, or what reading failed with.
func (l *Lines) Next() (line []byte, number int64, err error) {
	for {
		line, err = l.in.ReadSlice('\n')
		l.number++
		long := false
		for ; errors.Is(err, bufio.ErrBufferFull); long = true {
			_, err = l.in.ReadSlice('\n')
		}
		whole := err == nil || err == io.EOF
		if whole && long {
			return nil, l.number, ErrLong
		}
		if l.number == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		if line = bytes.TrimSpace(line); whole && len(line) > 0 {
			return line, l.number, nil
		}
		if err != nil {
			return nil, l.number, err
		}
	}
}

// Read is how many bytes of the file, as it is kept, have been read.
func (l *Lines) Read() int64 { return l.read.Load() }

// counting counts what is read.
type counting struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// unpacking undoes gzip where the file begins so: with two bytes that no JSON begins with.
type unpacking struct {
	in  *bufio.Reader
	out io.Reader
}

func (u *unpacking) Read(p []byte) (n int, err error) {
	if u.out == nil {
		u.out = u.in
		if head, err := u.in.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
			if u.out, err = gzip.NewReader(u.in); err != nil {
				return 0, fmt.Errorf("unpack: %w", err)
			}
		}
	}
	return u.out.Read(p)
}

const (
	blockSize = 256 << 10
	blocks    = 4 // that are read before they are wanted
)

// ahead reads in a goroutine of its own, so that the disk, or what unpacks, works beside who reads; and so that a silent pipe keeps
// nobody when ctx ends.
type ahead struct {
	ctx         context.Context
	full, empty chan block
	rest        block
	pos         int
}

type block struct {
	data []byte
	err  error
}

func newAhead(ctx context.Context, r io.Reader) *ahead {
	a := &ahead{ctx: ctx, full: make(chan block, blocks+1), empty: make(chan block, blocks+1)}
	for range blocks + 1 {
		a.empty <- block{data: make([]byte, blockSize)}
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case b := <-a.empty:
				n, err := r.Read(b.data[:blockSize])
				b.data, b.err = b.data[:n], err
				a.full <- b // has room for all that there are
				if err != nil {
					return
				}
			}
		}
	}()
	return a
}

func (a *ahead) Read(p []byte) (int, error) {
	for a.pos == len(a.rest.data) {
		if a.rest.err != nil {
			return 0, a.rest.err
		}
		if a.rest.data != nil {
			a.empty <- a.rest
			a.rest = block{}
		}
		select {
		case <-a.ctx.Done():
			return 0, context.Cause(a.ctx)
		case a.rest = <-a.full:
			a.pos = 0
		}
	}
	n := copy(p, a.rest.data[a.pos:])
	a.pos += n
	return n, nil
}
