package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/rules"
)

// parseRules are the rules of a text without errors.
func parseRules(t *testing.T, text string) *rules.Set {
	t.Helper()
	set, problems := rules.Parse("rules.yaml", []byte(text), rules.Options{})
	if problems.Errors() > 0 {
		t.Fatal(problems.Text())
	}
	return set
}

const checkedRules = `
rubrics:
  grounding: {min: 0, max: 1, better: higher}
  stars: {min: 1, max: 5, better: higher}
  toxicity: {min: 0, max: 1, better: lower}
groups:
  - name: support
    match: {prompt: support_*}
    slice_by: [tier]
    rules:
      - {alert: Regressed, rubric: grounding, drift: {drop: 0.05, against: previous_version}}
      - {alert: TooFine, rubric: grounding, drift: {drop: 0.002, against: previous_version}}
      - {alert: TooFinePercent, rubric: stars, drift: {drop: 0.3%, against: 24h}}
      - {alert: Toxic, rubric: toxicity, drift: {rise: 0.02, against: {fixed: 0.03}}}
      - {alert: TooToxic, rubric: toxicity, drift: {rise: 0.02, against: {fixed: 0.01}}}
      - {alert: CanaryWorse, rubric: grounding, canary: {drop: 0.03}}
      - {alert: TooManySlow, metric: latency, exceed: {above: 4s}}
      - {alert: MoreThanSlow, metric: latency, exceed: {above: 1s}}
      - {alert: Failing, metric: error, drift: {rise: 0.02, against: 24h}}
  - name: nothing
    match: {prompt: sales_*}
    rules:
      - {alert: Nobody, rubric: grounding, drift: {drop: 0.05, against: 24h}}
`

// writeEvents writes two days of one prompt, whose v23 takes over from v22, in the native format.
func writeEvents(t *testing.T, path string) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 1))
	var out bytes.Buffer
	start := time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)
	for at := 0.0; at < 48*3600; at += r.ExpFloat64() * 9 {
		version, tier := "v22", "free"
		if at > 28*3600 {
			version = "v23"
		}
		switch u := r.Float64(); {
		case u < 0.02:
			tier = "trial" // too few for a baseline
		case u < 0.2:
			tier = "enterprise"
		}
		event := map[string]any{
			"type": "span", "time": start.Add(time.Duration(at * float64(time.Second))).Format(time.RFC3339Nano), "prompt": "support_intent", "version": version, "tier": tier,
			"latency": math.Exp(0.3 + 0.6*r.NormFloat64()), "error": r.Float64() < 0.005,
			"scores": map[string]float64{"grounding": math.Round(1000*math.Sqrt(r.Float64())) / 1000, "stars": float64(3 + r.IntN(3)), "toxicity": math.Round(1000*math.Pow(r.Float64(), 40)) / 1000},
		}
		if r.IntN(500) == 0 {
			event["scores"].(map[string]float64)["stars"] = 7
		}
		line, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	out.WriteString("{\"type\":\"span\"\n")
	out.WriteString("{\"type\":\"span\",\"time\":\"2026-11-19T23:00:00Z\",\"prompt\":\"support_intent\",\"version\":\"v23\"}\n")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCheckEvents holds what is said of a file of events.
func TestCheckEvents(t *testing.T) {
	golden, err := filepath.Abs("testdata/check_events.golden")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("rules.yaml", []byte(checkedRules), 0o644); err != nil {
		t.Fatal(err)
	}
	writeEvents(t, "events.jsonl")
	var stdout, stderr bytes.Buffer
	if code := dispatch(context.Background(), []string{"check", "rules.yaml", "--events", "events.jsonl"}, &stdout, &stderr); code != exitWrong || stderr.Len() > 0 {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
	if *update {
		if err := os.WriteFile(golden, stdout.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(want, stdout.Bytes()) {
		t.Errorf("got\n%s", stdout.String())
	}
}

func TestSight(t *testing.T) {
	set := parseRules(t, checkedRules)
	find := func(name string) *rules.Rule {
		for i := range set.Groups {
			for j := range set.Groups[i].Rules {
				if r := &set.Groups[i].Rules[j]; r.Alert == name {
					return r
				}
			}
		}
		t.Fatalf("no rule %s", name)
		return nil
	}
	seen := func(name string, s stream, series int) sight {
		return sightOf(find(name), s, share(find(name), 1, series))
	}
	ten := stream{rate: 10, mean: 0.8, sd: 0.15}

	// What is asked for is in the metric's unit, and the scale is mirrored for what rises.
	if s := seen("TooFinePercent", ten, 1); math.Abs(s.by-0.003*4.2) > 1e-12 { // 0.8 of 1 to 5 is 4.2
		t.Errorf("0.3%% of 4.2 is %g", s.by)
	}
	if r := find("Toxic"); scaled(r, 0.03) != 0.97 || math.Abs(unscaled(r, 0.97)-0.03) > 1e-12 {
		t.Errorf("a toxicity of 0.03 is %g, and back %g", scaled(r, 0.03), unscaled(r, 0.97))
	}

	// More of anything but series is seen sooner.
	base := seen("Regressed", ten, 1)
	if more := seen("Regressed", stream{rate: 100, mean: 0.8, sd: 0.15}, 1); more.delay >= base.delay || more.smallest >= base.smallest || more.learns != base.learns/10 {
		t.Errorf("ten times the values: %+v, before %+v", more, base)
	}
	for _, name := range []string{"Regressed", "CanaryWorse", "TooManySlow"} {
		s := ten
		if name == "TooManySlow" {
			s = stream{rate: 10, mean: 0.95, sd: 0.22}
		}
		if ratio := float64(seen(name, s, 10).delay) / float64(seen(name, s, 1).delay); ratio < 1.1 || ratio > 1.35 {
			t.Errorf("%s: ten series take %.2f times as long, the table says a fifth longer", name, ratio)
		}
	}
	// What is asked for is seen within a day where it is no smaller than the least that is.
	for by := 0.005; by < 0.1; by += 0.001 {
		r := *find("Regressed")
		d := *r.Drift
		d.By.Value = by
		r.Drift = &d
		if s := sightOf(&r, ten, share(&r, 1, 3)); (s.delay <= 24*time.Hour) != (by >= s.smallest) && math.Abs(by-s.smallest) > 1e-4 {
			t.Errorf("drop %g: seen after %s, the least in a day is %g", by, s.delay, s.smallest)
		}
	}
	// The baseline of a total is made of its cohorts', where they have enough scores; each of them has a bound of its own.
	total := stream{rate: 10, mean: 0.8, sd: 0.2}
	plain := sealedAt(total, 20_000)
	total.cohorts = []stream{{rate: 6, mean: 0.9, sd: 0.1}, {rate: 4, mean: 0.65, sd: 0.2}}
	if parts := sealedAt(total, 20_000); parts >= total.mean || parts < total.mean-0.02 || math.Abs(parts-plain) > 0.01 {
		t.Errorf("the bound of a total is %g, of parts %g", plain, parts)
	}
	if few := sealedAt(total, 1500); few != bound(total, 1500, evidence.BaselineAlpha) {
		t.Errorf("cohorts with 900 and 600 scores have bounds of their own: %g", few)
	}

	// The change is counted from a fixed reference, not from where the mean is.
	at, better := seen("Toxic", stream{rate: 10, mean: 0.97, sd: 0.05}, 1), seen("Toxic", stream{rate: 10, mean: 0.99, sd: 0.029}, 1) // as wide at 0.95
	if ratio := float64(better.delay) / float64(at.delay); ratio < 0.8 || ratio > 1.25 || better.beyond || at.beyond {
		t.Errorf("from 0.03: %s, from better than that: %s", at.delay, better.delay)
	}
	if s := seen("TooToxic", stream{rate: 10, mean: 0.97, sd: 0.1}, 1); !s.beyond {
		t.Errorf("0.03 is beyond 0.01: %+v", s)
	}

	for _, s := range []stream{{}, {rate: 1e-9, mean: 0.5, sd: 0.5}, {rate: 1, mean: 1, sd: 0}, {rate: 1, mean: 0, sd: 0}, {rate: 1e9, mean: 0.5, sd: 0.5}, {rate: 3, mean: 1e-12, sd: 1}} {
		for i := range set.Groups {
			for j := range set.Groups[i].Rules {
				r := &set.Groups[i].Rules[j]
				if out := sightOf(r, s, share(r, 16, 5)); math.IsNaN(out.smallest) || out.delay < time.Minute || out.delay > never {
					t.Errorf("%s of %+v: %+v", r.Alert, s, out)
				}
			}
		}
	}
}

func TestForecastTexts(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(timeText(0), "1 min")
	f(timeText(99*time.Minute), "99 min")
	f(timeText(200*time.Minute), "3.3 h")
	f(timeText(30*time.Hour), "30 h")
	f(timeText(60*time.Hour), "2.5 days")
	f(timeText(200*24*time.Hour), "over 100 days")
	f(timeText(never), "never")
	f(digits2(0.01234)+" "+digits2(123)+" "+digits2(0), "0.012 120 0")
	f(digits3(ceil2(0.00801))+" "+digits3(ceil2(0.8))+" "+digits3(ceil2(12.01)), "0.0081 0.8 13")
}
