package backtest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// everyKind are rules of all kinds, as quick to fire as they can be.
const everyKind = `
rubrics:
  grounding: {min: 0, max: 1, better: higher}
  toxic: {min: 0, max: 1, better: lower}
  verdict: {labels: {pass: 1, fail: 0}, better: higher}
groups:
  - name: sliced
    slice_by: [tier]
    rules:
      - {alert: Mean, rubric: grounding, threshold: {stat: mean, window: 5m, below: 0.5}, min_samples: 1}
      - {alert: Tail, metric: latency, threshold: {stat: p95, window: 15m, above: 110%, against: previous_version}, min_samples: 1, for: 1m}
      - {alert: Floor, rubric: grounding, drift: {drop: 0.05, against: {fixed: 0.6}, false_alarms: 30/1d}}
      - {alert: Regressed, rubric: grounding, drift: {drop: 0.05, against: previous_version, false_alarms: 30/1d}}
      - {alert: Toxic, rubric: toxic, drift: {rise: 0.1, against: 24h}}
      - {alert: Canary, rubric: verdict, canary: {drop: 0.1, against: previous_version, false_alarms: 30/1d}}
      - {alert: Slow, metric: latency, exceed: {above: 2s, share: 5%, false_alarms: 30/1d}}
      - {alert: Shape, metric: latency, shape: {distance: psi, above: 0.01, against: previous_version}, min_samples: 100}
  - name: totals
    rules:
      - {alert: Variant, rubric: grounding, canary: {drop: 0.1, against: {variant: a}, false_alarms: 30/1d}}
      - {alert: Share, traffic_share: {above: 5%, of: superseded, window: 5m}}
      - {alert: Edited, change: template_hash}
      - {alert: Swapped, change: model}
      - {alert: Fallback, change: fallback}
      - {alert: Traffic, volume: {below: 50%, above: 150%, window: 5m, against: 24h}}
`

// FuzzEngine lets all kinds of rules loose on what bytes say: versions and variants that come, go and stand beside each other,
// values at the ends of their ranges, silences, events that come late, events that are broken.
func FuzzEngine(f *testing.F) {
	set, problems := rules.Parse("rules.yaml", []byte(everyKind), rules.Options{Dimensions: []string{"tier", "variant"}})
	if problems.Errors() > 0 {
		f.Fatal(problems.Text())
	}
	f.Add(bytes.Repeat([]byte{7, 1, 200, 255, 12}, 30))
	f.Add(append(bytes.Repeat([]byte{1, 1, 255, 90, 1}, 60), bytes.Repeat([]byte{66, 1, 255, 10, 8}, 60)...))
	f.Add(append(bytes.Repeat([]byte{9, 2, 255, 128, 3}, 20), 255, 255, 40, 0, 0, 64, 200, 3, 0, 255))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		var events bytes.Buffer
		now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		for ; len(data) >= 5; data = data[5:] {
			who, wait, often, value, how := data[0], time.Duration(data[1]), int(data[2]/2), float64(data[3])/255, data[4]
			if how&32 != 0 {
				wait *= 60
			}
			now = now.Add(wait * time.Second)
			for i := range often {
				at := now.Add(time.Duration(i) * time.Second / 10)
				if how&64 != 0 && i%5 == 0 {
					at = at.Add(-time.Duration(data[1]) * 10 * time.Second)
				}
				score := value
				if how&1 != 0 {
					score = float64(i % 2)
				}
				fmt.Fprintf(&events, `{"type":"span","time":%d,"prompt":"p%d","version":"v%d","tier":"t%d","variant":"%c","model":"m%d","template_hash":"h%d",`,
					at.UnixNano(), who&1, who>>1&3, who>>3&1, 'a'+who>>4&1, how>>1&1, who>>5&1)
				fmt.Fprintf(&events, `"latency":%v,"fallback":%t,"scores":{"grounding":%v,"toxic":%v,"verdict":%d}}`+"\n",
					4*value*float64(1+i%3), how&4 != 0 && i%2 == 0, score, 1-score, int(score+0.5))
			}
			now = now.Add(time.Duration(often) * time.Second / 10)
			if how&128 != 0 {
				fmt.Fprintf(&events, `{"type":"span","time":%d,"prompt":"p0","scores":{"grounding":1e400,"toxic":7}}`+"\n", now.UnixNano())
			}
		}
		var out strings.Builder
		o := Options{Rules: set, Windows: windows.Options{Dimensions: []string{"tier", "variant"}, MaxVersions: 3}, Partitions: 2, Steps: JSON(&out)}
		report, err := Events(t.Context(), o, feedOf(t, consumer.Linking{}, 2, "tier", "variant"), NewLines(t.Context(), &events))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(out.String(), "\n") != report.Detected.Steps {
			t.Errorf("%d steps told, %d made", strings.Count(out.String(), "\n"), report.Detected.Steps)
		}
		var text strings.Builder
		report.Summary(&text, time.Second)
		if strings.Contains(text.String(), "NaN") || strings.Contains(text.String(), "Inf") || strings.Contains(text.String(), "%!") {
			t.Error(text.String())
		}
	})
}
