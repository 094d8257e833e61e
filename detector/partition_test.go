package detector

import (
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// Samples of more than a day before the first watermark are counted as too late when it comes, and said.
func TestTooLateBeforeTheFirstWatermark(t *testing.T) {
	p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: &rules.Set{}})
	set := metrics.NewSet()
	m := newMeters(set, time.Now)
	apply := func(at int64, watermark time.Time) (says []string) {
		e := windows.NewEncoder()
		e.Add(&windows.Sample{
			Position: windows.Position{Offset: at}, Time: scriptStart.Add(-25 * time.Hour).UnixNano(), Mask: windows.MaskCall,
			Cell: windows.AppendKey(nil, "p", "v", "", ""), Axes: windows.AppendKey(nil, "", "", "", ""),
		})
		h := windows.Header{Clock: scriptStart.UnixNano(), Dimensions: scriptOptions.Dimensions}
		if !watermark.IsZero() {
			h.Watermark = watermark.UnixNano()
		}
		was := p.Counts()
		applyRaw(t, p, e.AppendBatch(nil, &h))
		is := p.Counts()
		m.count(was, is)
		return losses(&was, &is)
	}
	if says := apply(0, time.Time{}); len(says) > 0 {
		t.Errorf("before there is a watermark: %q", says)
	}
	if says := apply(1, scriptStart); len(says) != 1 || !strings.HasPrefix(says[0], "samples of more than a day") {
		t.Errorf("with the first watermark: %q", says)
	}
	apply(2, scriptStart)
	var b strings.Builder
	set.WritePrometheus(&b)
	if want := "driftd_detector_too_late_samples_total 3\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in\n%s", want, b.String())
	}
}
