package backtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, c := range []struct {
		name, text string
		want       []string
		err        error
	}{
		{"nothing", "", nil, io.EOF},
		{"no end", "a\nb", []string{"1 a", "2 b"}, io.EOF},
		{"blank lines", "\n\n a \r\n\t\nb\n\n", []string{"3 a", "5 b"}, io.EOF},
		{"byte order mark", "\xef\xbb\xbfa\n\xef\xbb\xbfb\n", []string{"1 a", "2 \xef\xbb\xbfb"}, io.EOF},
		{"as long as can be", long[1:] + "\nb", []string{"1 " + long[1:], "2 b"}, io.EOF},
		{"too long", "a\n" + long + long + "y\nb", []string{"1 a", "2 !", "3 b"}, io.EOF},
		{"too long at the end", "a\n" + long + "y", []string{"1 a", "2 !"}, io.EOF},
		{"packed", packed("a\nb\n"), []string{"1 a", "2 b"}, io.EOF},
		{"packed in parts", packed("a\nb") + packed("c\n"), []string{"1 a", "2 bc"}, io.EOF},
		{"packed and cut short", packed(strings.Repeat("a\n", 10))[:20], nil, io.ErrUnexpectedEOF},
		{"not packed after all", "\x1f\x8babc", nil, io.ErrUnexpectedEOF},
	} {
		l := NewLines(t.Context(), inPieces(c.text))
		var got []string
		var err error
		for {
			var line []byte
			var n int64
			if line, n, err = l.Next(); err == nil {
				got = append(got, string('0'+rune(n))+" "+string(line))
			} else if errors.Is(err, ErrLong) {
				got = append(got, string('0'+rune(n))+" !")
			} else {
				break
			}
		}
		if c.err == io.ErrUnexpectedEOF {
			got = nil // as much as came
		}
		if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: %.200q, %v; want %.200q, %v", c.name, got, err, c.want, c.err)
		}
		if err == io.EOF && l.Read() != int64(len(c.text)) {
			t.Errorf("%s: says that it has read %d of %d bytes", c.name, l.Read(), len(c.text))
		}
	}
}

// inPieces gives a text in pieces of different sizes.
func inPieces(text string) io.Reader {
	return &pieces{rest: text}
}

type pieces struct {
	rest string
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	p.n++
	n := copy(b[:min(len(b), 1+p.n*7919%100000)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// TestLinesAreInterrupted holds that a pipe in which nothing comes keeps nobody.
func TestLinesAreInterrupted(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	l := NewLines(ctx, r)
	w.Write([]byte("a\nb"))
	if line, _, err := l.Next(); err != nil || string(line) != "a" {
		t.Fatalf("%q, %v", line, err)
	}
	cancel()
	if line, _, err := l.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("half a line is given: %q, %v", line, err)
	}
}

func FuzzLines(f *testing.F) {
	f.Add("a\n\nb", false)
	f.Add(strings.Repeat("x", MaxLine+1)+"\nb", false)
	f.Add("\x1f\x8b\x08\x00", true)
	f.Fuzz(func(t *testing.T, text string, pack bool) {
		if len(text) > 4*MaxLine {
			return
		}
		if strings.HasPrefix(text, "\x1f\x8b") {
			return // it is packed, or broken
		}
		in := text
		if pack {
			in = packed(text)
		}
		l := NewLines(t.Context(), inPieces(in))
		all := strings.Split(strings.TrimPrefix(text, string(byteOrderMark)), "\n")
		last := int64(0)
		for {
			line, n, err := l.Next()
			if err == io.EOF {
				return
			}
			if n <= last || n > int64(len(all)) || err == nil && string(line) != string(bytes.TrimSpace([]byte(all[n-1]))) ||
				errors.Is(err, ErrLong) && len(all[n-1]) < MaxLine-1 || err != nil && !errors.Is(err, ErrLong) {
				t.Fatalf("line %d behind %d: %.100q, %v", n, last, line, err)
			}
			last = n
		}
	})
}
