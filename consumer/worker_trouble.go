package consumer

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
)

// gaps are the newest stretches of source partitions that were never read, for people.
type gaps struct {
	mu   sync.Mutex
	says []string
}

// maxGaps is how many of them are kept.
const maxGaps = 5

// lose counts n records, from an offset on, that can never be read, and says so.
func (w *Worker) lose(claim *kafkalog.Claim, log *slog.Logger, from, n int64, why string) {
	log.Error("records are passed over unread", "records", n, "from", from, "goes on", from+n, "reason", why)
	w.sources[claim.Topic].metrics.gaps.AddInt64(n)
	says := fmt.Sprintf("%s: %d records from offset %d on were never read: %s (%s)", partName(claim), n, from, why, w.cfg.Now().UTC().Format(time.RFC3339))
	w.gaps.mu.Lock()
	defer w.gaps.mu.Unlock()
	w.gaps.says = append(w.gaps.says[max(0, len(w.gaps.says)-maxGaps+1):], says)
}

// Gaps are the newest stretches of source partitions that were never read, since Run began, and why. For concurrent use.
func (w *Worker) Gaps() []string {
	w.gaps.mu.Lock()
	defer w.gaps.mu.Unlock()
	return append([]string(nil), w.gaps.says...)
}

// Trouble is what cannot be read, written or committed now, and is tried on. For concurrent use.
func (w *Worker) Trouble() []string { return w.trouble.Says() }

func partName(claim *kafkalog.Claim) string {
	return fmt.Sprintf("%s[%d]", claim.Topic, claim.Partition)
}
