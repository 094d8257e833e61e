package slack

import (
	"bytes"
	"flag"
	"image/png"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
)

var keep = flag.String("png", "", "write the charts into this folder")

func chartCases() map[string]detector.Record {
	g := grounding()
	g.Trend = fell()
	latency := grounding()
	latency.Metric, latency.Stat, latency.Value, latency.Bound, latency.Previous = "latency", "p95", ptr(4.213), ptr(4.0), ""
	latency.Trend = &detector.Trend{From: t0.Add(-24 * time.Hour), Every: "15m"}
	for i := range 96 {
		v := 2.1 + math.Sin(float64(i)/15) + max(0, float64(i-80))*0.12
		latency.Trend.Values = append(latency.Trend.Values, &v)
	}
	latency.Onset = ptr(t0.Add(-3 * time.Hour))
	long := g
	long.Metric, long.Version, long.Previous = "a_rubric_with_a_very_long_name_that_nobody_reads", "2026-11-20-experiment-b", "2026-11-01-control"
	flat := g
	one := 0.5
	flat.Trend = &detector.Trend{From: t0, Every: "1m", Values: []*float64{&one, nil, &one, &one}}
	flat.Onset, flat.Bound = nil, nil
	cost := g
	cost.Metric, cost.Bound, cost.Value = "cost", ptr(0.00042), ptr(0.0006)
	cost.Trend = &detector.Trend{From: t0.Add(-time.Hour), Every: "2m"}
	for i := range 30 {
		v := 0.0003 + 0.00001*float64(i)
		cost.Trend.Values = append(cost.Trend.Values, &v)
	}
	return map[string]detector.Record{"grounding": g, "latency": latency, "long": long, "flat": flat, "cost": cost}
}

// A chart is an image of the size that Slack shows well, with the line in it.
func TestCharts(t *testing.T) {
	for name, r := range chartCases() {
		data, err := drawTrend(&r)
		if err != nil {
			t.Fatal(name, err)
		}
		if *keep != "" {
			if err := os.WriteFile(*keep+"/"+name+".png", data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(name, err)
		}
		if b := img.Bounds(); b.Dx() != plotWidth || b.Dy() != plotHeight {
			t.Errorf("%s: size %v", name, b)
		}
		found := 0
		for y := range plotHeight {
			for x := range plotWidth {
				if r, g, b, _ := img.At(x, y).RGBA(); uint8(r>>8) == hot.R && uint8(g>>8) == hot.G && uint8(b>>8) == hot.B {
					found++
				}
			}
		}
		if found < 200 || len(data) > 60<<10 {
			t.Errorf("%s: %d pixels of the line, %d bytes", name, found, len(data))
		}
	}
}

// Nothing that a trend can hold stops a chart from being drawn.
func TestOddCharts(t *testing.T) {
	spans := []string{"x", "24h", "1000000h", "1ns", "-1h"}
	for i, v := range [][4]float64{
		{math.Inf(1), math.NaN(), -1e300, 1e300}, {5e-324, 0, 0, 0}, {-1, -1, -1, -1}, {1e-9, 2e-9, 3e-9, 1e9}, {math.NaN(), math.NaN(), math.NaN(), math.NaN()},
	} {
		r := grounding()
		r.Bound = &v[3]
		r.Trend = &detector.Trend{From: t0, Every: spans[i], Values: []*float64{&v[0], nil, &v[1], &v[2]}, Previous: []*float64{&v[2], &v[0]}}
		if _, err := drawTrend(&r); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzTicks(f *testing.F) {
	f.Add(0.1, 0.2, "1m", "latency")
	f.Add(math.Inf(1), math.NaN(), "x", "é😀")
	f.Add(5e-324, 0.0, "24h", "")
	f.Fuzz(func(t *testing.T, a, b float64, every, metric string) {
		r := grounding()
		r.Metric, r.Bound = metric, &a
		r.Trend = &detector.Trend{From: t0, Every: every, Values: []*float64{&a, nil, &b}}
		low, high := bounds(&r)
		ticks, from, to := ticksOf(low, high)
		if ok := !math.IsNaN(from + to); ok && math.Abs(low) < 1e200 && math.Abs(high) < 1e200 && (from > low+(high-low)/1e6 || to < high-(high-low)/1e6 || len(ticks) < 2 && high-low > 1e-200) {
			t.Errorf("%v to %v has ticks %v from %v to %v", low, high, ticks, from, to)
		}
		for l := range strings.Lines(sparklines(&r)) {
			if columns(l) > 120 {
				t.Errorf("a line of %d columns", columns(l))
			}
		}
	})
}

// A new alert has its chart in the message; it stays while the trend is the same.
func TestChartIsUploaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		b := newBot(s)
		g := grounding()
		g.Trend = fell()
		n := firing(g)
		deliver := func(want string) {
			t.Helper()
			ref, err := b.Deliver(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
			n.Ref = ref
			if m := s.Messages()[0]; ref != "C012:"+m.TS+":"+want || !strings.Contains(string(m.Blocks), `"slack_file":{"id":"`+want+`"}`) {
				t.Errorf("ref %s, blocks %s", ref, m.Blocks)
			}
		}
		deliver("F0001")
		deliver("F0001")
		n.News = []detector.Record{g}
		deliver("F0002")
		fs := s.Files()
		if len(fs) != 2 || fs[0].Name != "trend.png" || fs[0].Channel != "" || fs[0].Alt != "citation_grounding of v23 and v22, enterprise × de, 13:41 to 14:41 UTC" {
			t.Errorf("files %+v", fs)
		}
		if _, err := png.Decode(bytes.NewReader(fs[0].Bytes)); err != nil {
			t.Error(err)
		}
	})
}

// Where Slack takes no image, the message has a line of text, and nothing waits.
func TestChartIsRefused(t *testing.T) {
	g := grounding()
	g.Trend = fell()
	f := func(name string, calls string, change func(c *fakeslack.Config, s *Config), faults ...fakeslack.Fault) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			fc, sc := fakeslack.Config{Token: token, Channels: map[string]string{"llm-alerts": "C012"}, Now: time.Now}, Config{}
			change(&fc, &sc)
			s := fakeslack.New(fc)
			s.Fail(faults...)
			b := newBot(s, func(c *Config) { c.Charts = sc.Charts })
			begin := time.Now()
			for range 2 {
				if _, err := b.Deliver(t.Context(), firing(g)); err != nil {
					t.Fatal(name, err)
				}
			}
			if took := time.Since(begin); took > 7*time.Second {
				t.Errorf("%s: took %v", name, took)
			}
			for _, m := range s.Messages() {
				if got := string(m.Blocks); strings.Contains(got, "slack_file") || !strings.Contains(got, "▁") {
					t.Errorf("%s: blocks %s", name, got)
				}
			}
			if got := strings.Join(s.Calls(), ", "); got != calls {
				t.Errorf("%s: calls %s", name, got)
			}
		})
	}
	on := func(_ *fakeslack.Config, c *Config) { c.Charts = true }
	f("charts: false", "chat.postMessage ok, chat.postMessage ok", func(*fakeslack.Config, *Config) {})
	f("no scope", "files.getUploadURLExternal missing_scope, chat.postMessage ok, chat.postMessage ok",
		func(fc *fakeslack.Config, c *Config) { fc.Scopes, c.Charts = []string{"chat:write"}, true })
	f("upload fails", "files.getUploadURLExternal ok, upload 500, chat.postMessage ok, files.getUploadURLExternal ok, upload 500, chat.postMessage ok", on,
		fakeslack.Fault{Method: "upload", Status: 500}, fakeslack.Fault{Method: "upload", Status: 500})
}

// A chart that Slack cannot show yet, or does not answer for, comes with the next change.
func TestChartComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		b := newBot(s)
		n := firing(grounding())
		n.Firing[0].Record.Trend = fell()
		deliver := func(shown bool) {
			t.Helper()
			ref, err := b.Deliver(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
			n.Ref = ref
			if m := s.Messages()[0]; strings.Contains(string(m.Blocks), "slack_file") != shown {
				t.Errorf("blocks %s", m.Blocks)
			}
		}
		s.Fail(fakeslack.Fault{Method: "files.getUploadURLExternal", Hang: make(chan struct{})})
		begin := time.Now()
		deliver(false)
		if took := time.Since(begin); took != drawnWithin {
			t.Errorf("the alert has waited %v for its chart", took)
		}
		not := fakeslack.Fault{Method: "chat.update", Error: "invalid_blocks"}
		s.Fail(not)
		deliver(true) // the second time
		s.Fail(not)
		ok := s.Messages()[0].Edits
		s.Watch(func(m fakeslack.Message) {
			if m.Edits == ok+1 {
				s.Fail(not)
			}
		})
		deliver(false)
		deliver(true)
		if got := len(s.Files()); got != 1 {
			t.Errorf("%d files", got)
		}
	})
}

func BenchmarkChart(b *testing.B) {
	r := grounding()
	r.Trend = fell()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := drawTrend(&r); err != nil {
			b.Fatal(err)
		}
	}
}
