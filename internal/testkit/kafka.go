package testkit

import (
	"errors"
	"sync"
	"testing"

	"github.com/driftd/driftd/internal/apache"
)

var realKafka = sync.OnceValues(func() (*apache.Cluster, error) { return apache.Start(apache.Options{}) })

// kafka returns the address of the package's real broker, started by the first test that asks. It ends with the test process. Where it
// cannot be had the test is skipped; any other failure fails the test.
func kafka(t testing.TB) []string {
	t.Helper()
	c, err := realKafka()
	if missing, ok := errors.AsType[*apache.UnavailableError](err); ok {
		t.Skip("DRIFTD_TEST_KAFKA=1, but Apache Kafka cannot be run here: ", missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.Addrs()
}
