package kafkalog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/testkit"
	"github.com/segmentio/kafka-go/protocol"
)

// frame is an answer: its size, the request's number, and the rest.
func frame(serial uint32, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
	return append(binary.BigEndian.AppendUint32(b, serial), body...)
}

func TestAsk(t *testing.T) {
	f := func(name string, answer []byte, flexible bool, want []byte) {
		t.Helper()
		var wrote, buf []byte
		rw := struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(answer), writer(func(b []byte) { wrote = append(wrote, b...) })}
		got, err := ask(rw, []byte("request"), 7, flexible, &buf)
		if (err == nil) != (want != nil) || !bytes.Equal(got, want) || string(wrote) != "request" {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	f("plain", frame(7, 1, 2, 3), false, []byte{1, 2, 3})
	f("empty", frame(7), false, []byte{})
	f("no tags", frame(7, 0, 2, 3), true, []byte{2, 3})
	f("tags", frame(7, 2, 0, 1, 0xff, 5, 0, 9), true, []byte{9})
	f("another's", frame(8, 1), false, nil)
	f("cut", frame(7, 1, 2, 3)[:9], false, nil)
	f("cut in the size", frame(7)[:3], false, nil)
	f("too small", []byte{0, 0, 0, 3, 0, 0, 7}, false, nil)
	f("too large", []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 7}, false, nil)
	f("tags without end", frame(7, 0xff, 0xff), true, nil)
	f("a tag beyond the end", frame(7, 1, 0, 0xff, 0xff, 0x7f), true, nil)
	f("fewer tags than said", frame(7, 3, 0, 0), true, nil)
	f("no header", frame(7), true, nil)
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }

// TestExchangeAbandoned: a request whose caller is gone is not sent, and its connection stays in use.
func TestExchangeAbandoned(t *testing.T) {
	x := &exchange{ctx: t.Context(), done: make(chan struct{}), talk: func(io.ReadWriter) error {
		t.Error("it is sent")
		return nil
	}}
	if err := x.settle(context.Canceled); err != context.Canceled {
		t.Errorf("outcome %v", err)
	}
	if _, err := x.RawExchange(nil); !errors.Is(err, protocol.ErrNoRecord) {
		t.Errorf("%v, want the error after which kafka-go keeps the connection", err)
	}
}

// TestExchangeCancelled: the caller waits until nobody uses its buffers, which is soon, and the connection is not used again.
func TestExchangeCancelled(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	ctx, cancel := context.WithCancel(t.Context())
	buf := make([]byte, 10)
	x := &exchange{ctx: ctx, done: make(chan struct{}), talk: func(rw io.ReadWriter) error {
		_, err := io.ReadFull(rw, buf)
		return err
	}}
	kept := make(chan error, 1)
	go func() {
		_, err := x.RawExchange(near)
		kept <- err
	}()
	far.Write([]byte("half"))
	cancel()
	x.settled(t)
	if err := x.settle(context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("outcome %v", err)
	}
	if err := <-kept; err == nil || errors.Is(err, protocol.ErrNoRecord) {
		t.Errorf("kafka-go gets %v and keeps the connection", err)
	}
}

func (x *exchange) settled(t *testing.T) {
	t.Helper()
	select {
	case <-x.done:
	case <-time.After(testkit.Patience):
		t.Fatal("the exchange goes on after its context ended")
	}
}

func TestFit(t *testing.T) {
	small, large := make([]byte, 10), make([]byte, 8*spare)
	for name, c := range map[string]struct {
		buf    []byte
		n      int
		reused bool
	}{
		"fits":            {small, 7, true},
		"grows":           {small, 11, false},
		"far too large":   {large, spare, false},
		"somewhat larger": {large, 4 * spare, true},
	} {
		got := fit(c.buf, c.n)
		if len(got) != c.n || (&got[:1][0] == &c.buf[:1][0]) != c.reused {
			t.Errorf("%s: length %d of %d", name, len(got), cap(got))
		}
	}
}
