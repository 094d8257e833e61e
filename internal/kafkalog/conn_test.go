package kafkalog

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestErrorsOfConnectionsSayTheSame: two connections that fail in the same way, and can still be told apart from other failures.
func TestErrorsOfConnectionsSayTheSame(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fails := func(op func(net.Conn) error) error {
		t.Helper()
		conn, err := dialConn(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Unix(1, 0))
		return op(conn)
	}
	for name, op := range map[string]func(net.Conn) error{
		"read":  func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err },
		"write": func(c net.Conn) error { _, err := c.Write([]byte("x")); return err },
	} {
		a, b := fails(op), fails(op)
		if want := name + " tcp " + l.Addr().String() + ": i/o timeout"; a.Error() != want || b.Error() != want {
			t.Errorf("%q and %q, want %q", a, b, want)
		}
		if n, ok := errors.AsType[net.Error](a); !errors.Is(a, os.ErrDeadlineExceeded) || !ok || !n.Timeout() {
			t.Errorf("%v is not known as a timeout any more", a)
		}
	}
	if err := calm(io.EOF); err != io.EOF {
		t.Errorf("another error became %v", err)
	}
}
