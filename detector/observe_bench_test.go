package detector

import (
	"fmt"
	"testing"
	"time"
)

const benchedRule = "groups: [{name: g, slice_by: [tier, locale], rules: [{alert: A, min_samples: 10, metric: latency, rollback: approve, %s}]}]"

// BenchmarkObserve is the observations of a minute: of two versions of a prompt of which 100 and 20,000 cohorts fire.
func BenchmarkObserve(b *testing.B) {
	for _, kind := range []string{"threshold: {stat: mean, window: 1h, above: 100ms}", "threshold: {stat: p95, window: 1h, above: 100ms}"} {
		for _, n := range []int{100, 20000} {
			b.Run(fmt.Sprintf("%s/cohorts=%d", kind[18:22], n), func(b *testing.B) {
				p, _ := cells(b, n, fmt.Sprintf(benchedRule, kind))
				e := p.engine
				if _, firing := p.Alerts(); firing < n {
					b.Fatalf("%d alerts fire, want %d", firing, n)
				}
				b.ReportAllocs()
				for b.Loop() {
					e.out = e.out[:0]
					clear(e.cells)
					e.observe(nil)
				}
				b.ReportMetric(float64(len(e.out)), "records")
			})
		}
	}
}

// BenchmarkIllustrate is the target and the trend of one firing step: of a cohort, and of a total of 250 cohorts, of which a day is held.
func BenchmarkIllustrate(b *testing.B) {
	for _, kind := range []string{"threshold: {stat: mean, window: 1h, above: 100ms}", "threshold: {stat: p95, window: 1h, above: 100ms}"} {
		p, next := cells(b, 500, fmt.Sprintf(benchedRule, kind))
		for range 24 * 60 {
			applyRaw(b, p, next())
		}
		e := p.engine
		for name, cohort := range map[string]map[string]string{"cohort": {"tier": "0", "locale": "0"}, "total": nil} {
			b.Run(fmt.Sprintf("%s/%s", kind[18:22], name), func(b *testing.B) {
				rec := Record{Prompt: "p", Version: "v1", Previous: "v0", Cohort: cohort, Rollback: "approve"}
				for b.Loop() {
					clear(e.cells)
					t, _ := e.target(e.rules[0], &rec, e.now.Add(-day), dayReads, maxReads)
					trend, _ := e.trend(e.rules[0], &rec, maxReads)
					if t.Value == nil || trend == nil || trend.Previous == nil {
						b.Fatal("nothing to show")
					}
				}
			})
		}
	}
}

// BenchmarkFigures is the figures of a prompt's day, of two versions with 250 cohorts each.
func BenchmarkFigures(b *testing.B) {
	p, next := cells(b, 500, "groups: [{name: g, rules: [{alert: A, metric: latency, threshold: {stat: mean, above: 100s}}]}]")
	for range 24 * 60 {
		applyRaw(b, p, next())
	}
	e := p.engine
	for b.Loop() {
		if rec := e.dayOf("p", scriptStart.Add(12*time.Hour)); len(rec.Figures) != 2 {
			b.Fatal("no figures")
		}
	}
}

// BenchmarkStorm is a minute in which 10,000 alerts begin: causes, targets, trends and observations share their reads.
func BenchmarkStorm(b *testing.B) {
	const n = 10000
	p, next := cells(b, n, fmt.Sprintf(benchedRule, "threshold: {stat: mean, window: 1h, above: 100s}"))
	var size int
	for b.Loop() {
		b.StopTimer()
		for _, above := range []string{"100s", "100ms"} { // they end, and begin
			if err := p.SetRules(parsed(b, fmt.Sprintf(benchedRule, "threshold: {stat: mean, window: 1h, above: "+above+"}"))); err != nil {
				b.Fatal(err)
			}
			if above == "100s" {
				applyRaw(b, p, next())
			}
		}
		raw := next()
		b.StartTimer()
		out := applyRaw(b, p, raw)
		b.StopTimer()
		size = 0
		for _, line := range encoded(b, out) {
			size += len(line)
		}
		if len(out) < n {
			b.Fatalf("%d records", len(out))
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(size)/n, "B/alert")
}
