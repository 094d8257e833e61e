package kafkalog_test

import (
	"net"
	"slices"
	"testing"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// closer listens, and closes every connection that it takes.
func closer(t *testing.T) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// TestGroupAsksAnotherBroker: brokers that take connections and close them do not hide the one behind them in the list, and the group is
// joined and left.
func TestGroupAsksAnotherBroker(t *testing.T) {
	t.Parallel()
	b := testkit.Embedded(t, embedded.Options{})
	c := dial(t, b.Addrs())
	cfg := kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic(t, c, 2)}}
	for _, brokers := range [][]string{slices.Concat([]string{closer(t), closer(t)}, b.Addrs()), b.Addrs()} {
		m := join(t, dial(t, brokers), cfg, nil)
		m.awaits("0:0", "0:1") // sessions are too long for one to end that was not left
		if err := m.leave(); err != nil {
			t.Error(err)
		}
	}
}
