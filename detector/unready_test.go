package detector

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/testkit"
)

// A partition that cannot be restored, or of which nothing has come, tells for how long that is so, and no lag.
func TestPartitionThatIsNotReady(t *testing.T) {
	b := testkit.Embedded(t, embedded.Options{})
	f := fixtureOn(t, b.Addrs())
	var deaf atomic.Bool
	deaf.Store(true)
	b.Control(kmsg.ListOffsets, func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.Keep()
		if r := req.(*kmsg.ListOffsetsRequest); deaf.Load() && strings.HasSuffix(r.Topics[0].Topic, "state") {
			return nil, errors.New("no answer"), true
		}
		return nil, nil, false
	})
	var clock atomic.Int64
	clock.Store(scriptStart.UnixNano())
	_, ms, _ := f.run(WorkerOptions{Now: func() time.Time { return time.Unix(0, clock.Load()) }})
	told := func() string {
		var b bytes.Buffer
		ms.WritePrometheus(&b)
		var lines []string
		for line := range strings.Lines(b.String()) {
			if strings.Contains(line, "watermark_lag") || strings.Contains(line, "unready") || strings.Contains(line, "_partitions") {
				lines = append(lines, strings.TrimSpace(strings.TrimPrefix(line, "driftd_detector_")))
			}
		}
		return strings.Join(lines, ", ")
	}
	until := func(want string) {
		t.Helper()
		testkit.Until(t, want, func() bool { return told() == want })
	}
	until(`partitions 0, unready_seconds{partition="0"} 0`)
	clock.Add(int64(200 * time.Second))
	until(`partitions 0, unready_seconds{partition="0"} 200`)
	deaf.Store(false)
	until(`partitions 1, unready_seconds{partition="0"} 200`)
	f.send(1, "series=p/v1/free latency=1")
	clock.Store(f.s.now.Nanoseconds() + scriptStart.UnixNano())
	testkit.Until(t, "a lag", func() bool { return strings.HasPrefix(told(), `partitions 1, watermark_lag_seconds{partition="0"}`) })
	if strings.Contains(told(), "unready") {
		t.Error(told())
	}
}
