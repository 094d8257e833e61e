package kafkalog_test

import (
	"testing"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/testkit"
)

type compactor struct {
	addrs   []string
	compact func()
}

// compactable is a broker that compacts when told to, or by itself.
func compactable(t *testing.T) compactor {
	if testkit.Real() {
		return compactor{testkit.Broker(t), func() {}}
	}
	b := testkit.Embedded(t, embedded.Options{})
	return compactor{b.Addrs(), b.Cluster().Compact}
}
