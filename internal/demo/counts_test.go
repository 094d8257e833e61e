package demo

import (
	"strings"
	"testing"
)

const exposition = `# TYPE x counter
driftd_detector_samples_total 1200
driftd_detector_values_total 9000
driftd_detector_skipped_samples_total 3
driftd_detector_late_samples_total 0
driftd_detector_too_late_samples_total 0
driftd_detector_limited_samples_total 0
driftd_detector_lost_records_total 0
driftd_consumer_dead_total{reason="malformed",topic="a b"} 2
driftd_consumer_dead_total{reason="future",topic="a b"} 1
other 5
`

func TestParseCounts(t *testing.T) {
	c, err := parseCounts(strings.NewReader(exposition))
	if err != nil {
		t.Fatal(err)
	}
	if want := (counts{samples: 1200, values: 9000, skipped: 3, dead: 3}); *c != want {
		t.Errorf("got %+v, want %+v", *c, want)
	}
	for _, gone := range []string{"driftd_detector_samples_total", "driftd_consumer_dead_total"} {
		if _, err := parseCounts(strings.NewReader(strings.ReplaceAll(exposition, gone, "renamed"))); err == nil || !strings.Contains(err.Error(), gone) {
			t.Errorf("without %s: %v", gone, err)
		}
	}
	if _, err := parseCounts(strings.NewReader(strings.ReplaceAll(exposition, " 1200", " many"))); err == nil {
		t.Error("a value that is no number is taken")
	}
}

func TestProblem(t *testing.T) {
	for want, c := range map[string]counts{
		"":                         {samples: 5, values: 20, skipped: 2}, // what was read twice is not counted twice
		"5 events were written, 4": {samples: 4},
		"5 events were written, 6": {samples: 6},
		"2 events came late":       {samples: 5, late: 1, tooLate: 1},
		"1 events were refused":    {samples: 5, dead: 1},
		"1 samples records":        {samples: 5, lost: 1},
		"1 events fell":            {samples: 5, limited: 1},
	} {
		if got := c.problem(5); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}
