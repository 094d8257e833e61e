package main

import (
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/testkit"
)

// The watchdog is sent while ingest and detect go on, wherever they run, and stops when one of them stands still.
func TestWatchdog(t *testing.T) {
	w, _ := newStoryWorld(t, testkit.Broker(t))
	w.makeSources()
	start := func(s stages) *instance {
		return w.startWith(func(o *daemonOptions) {
			o.Stages = s
			o.Config.Watchdog = &config.Watchdog{Receiver: "hook", Every: 50 * time.Millisecond}
		})
	}
	barks := func() int { return len(w.hook.records("Watchdog")) }
	ingest, detect, act := start(stages{ingest: true}), start(stages{detect: true}), start(stages{act: true})
	goesOn := func(what string) {
		t.Helper()
		n := barks()
		w.until(what, func() bool {
			_, body := act.ready()
			return barks() > n+2 && !strings.Contains(body, "watchdog")
		})
	}
	stops := func(what, says string) {
		t.Helper()
		w.until(what, func() bool {
			_, body := act.ready()
			return strings.Contains(body, "the watchdog is not sent: "+says)
		})
		if v := act.counter(`driftd_alert_watchdog_alive{receiver="hook"}`); v != 0 {
			t.Errorf("%s: the metric is %v", what, v)
		}
	}
	goesOn("all is well")
	ingest.stop()
	stops("ingest stands still", "ingest stands still")
	start(stages{ingest: true})
	goesOn("ingest is back")
	detect.stop()
	stops("detect stands still", "detect stands still")
	start(stages{detect: true})
	goesOn("detect is back")
	r := w.hook.records("Watchdog")[0]
	if r.ID == "" || r.Step != 1 || r.Labels["alertname"] != "Watchdog" || string(r.Type) != "firing" {
		t.Errorf("it is %+v", r)
	}
}
