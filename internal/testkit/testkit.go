// Package testkit gives tests a broker: the embedded one, or, when DRIFTD_TEST_KAFKA=1, Apache Kafka itself, fetched from Maven
// Central and run without a container. Tests name their topics and groups by Name, for the real broker is shared by all tests of a
// package.
package testkit

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/embedded"
)

// Real tells whether tests run against Apache Kafka.
func Real() bool { return os.Getenv("DRIFTD_TEST_KAFKA") == "1" }

// Broker returns the addresses of a broker for t: an embedded one of its own, or the real one.
func Broker(t testing.TB) []string {
	t.Helper()
	if Real() {
		return kafka(t)
	}
	return Embedded(t, embedded.Options{}).Addrs()
}

// Embedded starts an embedded broker that ends with t.
func Embedded(t testing.TB, o embedded.Options) *embedded.Broker {
	t.Helper()
	b, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// Patience is how long a test waits for what must happen: only a failing test gets there, however slow the machine is.
const Patience = 2 * time.Minute

// Until looks a hundred times a second until ok, and fails t when its patience ends.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(Patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, Patience)
		}
	}
}

var names atomic.Int64

// Name returns a name that no other test uses, now or on the next run against the same broker.
func Name(t testing.TB) string {
	clean := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, t.Name())
	return fmt.Sprintf("%.80s-%d-%d-%d", clean, os.Getpid(), names.Add(1), time.Now().UnixMilli()%1e6)
}
