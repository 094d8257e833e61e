package main

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/driftd/driftd/alert/registry/hooks"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// TestPathsReference: what has its own way to know who asks stands in the reference too, and nothing stands there twice; internal/web
// holds the rest against it.
func TestPathsReference(t *testing.T) {
	text, err := os.ReadFile("../../configs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		if seen[m[1]] {
			t.Errorf("%s is in configs/METRICS.md twice", m[1])
		}
		seen[m[1]] = true
	}
	for _, pattern := range []string{slackPath, hooks.Pattern} {
		if !bytes.Contains(text, []byte("\n| `"+pattern+"` |")) {
			t.Errorf("%s is not in configs/METRICS.md", pattern)
		}
	}
}

// Every metric that a daemon shows after it has done its main job stands in the reference, and no other.
func TestMetricsReference(t *testing.T) {
	text, err := os.ReadFile("../../configs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `(driftd_[a-z_]+)").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = true
	}

	w, s := newStoryWorld(t, testkit.Broker(t))
	w.makeSources()
	w.receivers = "  - {name: prometheus, alertmanager: {urls: [http://127.0.0.1:1]}}\nwatchdog: {receiver: prometheus}\n" // which no route leads to
	d := w.start()
	w.publish(s.msgs[:s.until(rolledBackAt)])
	w.publish([]kafkalog.Message{{Topic: w.prefix + nativeEvent, Value: []byte("no event")}})
	w.untilStep(badRule, detector.Firing)
	w.until("the poison is counted", func() bool { return d.counter("driftd_consumer_dead_total") > 0 })
	w.until("a promotion is counted", func() bool { return d.counter("driftd_alert_rollbacks_total") > 0 })
	w.until("a delivery is counted", func() bool { return d.counter("driftd_alert_notifications_total") > 0 })
	w.until("a checkpoint is counted", func() bool { return d.counter("driftd_detector_checkpoints_total") > 0 })

	for _, m := range regexp.MustCompile("(?m)^\\| `GET (/[^`{]+)`").FindAllStringSubmatch(string(text), -1) {
		resp, err := http.Get("http://" + d.web.Addr() + m[1])
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Errorf("GET %s is documented and answers %s", m[1], resp.Status)
		}
	}
	var shown bytes.Buffer
	d.metrics.WritePrometheus(&shown)
	names := make(map[string]bool)
	for line := range strings.Lines(shown.String()) {
		name := line[:strings.IndexAny(line, "{ ")]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} { // of a histogram
			if strings.Contains(shown.String(), strings.TrimSuffix(name, suffix)+"_bucket") {
				name = strings.TrimSuffix(name, suffix)
			}
		}
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !documented[name] {
			t.Errorf("%s is shown but not in configs/METRICS.md", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if passing := name == "driftd_detector_unready_seconds"; !names[name] && !passing { // detector's TestPartitionThatIsNotReady sees it
			t.Errorf("%s is in configs/METRICS.md but not shown", name)
		}
	}
}
