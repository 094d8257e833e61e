package detector

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/windows"
)

// TestLogOfAStep: a line has the figures, and no key twice.
func TestLogOfAStep(t *testing.T) {
	var b strings.Builder
	value, bound := 0.78, 0.85
	at := time.Date(2026, 11, 20, 14, 41, 0, 0, time.UTC)
	log := slog.New(slog.NewTextHandler(&b, nil))
	log.Info("alert", about(&Record{Type: Firing, Rule: "R", Prompt: "p", Version: "v2", Time: at, Value: &value, Bound: &bound, Samples: 412})...)
	log.Info("alert", about(&Record{Type: Resolved, Rule: "Quiet", Prompt: "p", Cohort: map[string]string{"tier": "pro"}, Time: at, Reason: "rule removed"})...)
	want := []string{
		`level=INFO msg=alert type=firing rule=R prompt=p version=v2 cohort=all event_time=2026-11-20T14:41:00.000Z value=0.78 bound=0.85 samples=412`,
		`level=INFO msg=alert type=resolved rule=Quiet prompt=p cohort="tier=pro" event_time=2026-11-20T14:41:00.000Z samples=0 reason="rule removed"`,
	}
	for i, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if _, after, _ := strings.Cut(line, " "); after != want[i] || strings.Count(line, " time=") != 0 {
			t.Errorf("logged %s\n want   … %s", line, want[i])
		}
	}
}

func TestLossesAreToldOnce(t *testing.T) {
	var was Counts
	for _, step := range []struct {
		folded  windows.Folded
		clamped int
		want    []string
	}{
		{windows.Folded{Samples: 10, Late: 3, Skipped: 2}, 0, nil},
		{windows.Folded{Samples: 20, Other: 1}, 0, []string{"a limit"}},
		{windows.Folded{Samples: 30, Other: 9}, 0, nil},
		{windows.Folded{Samples: 40, Other: 9, TooLate: 1, Dropped: 7}, 2, []string{"samples of more than a day", "scores beyond", "values outside the range"}},
		{windows.Folded{Samples: 50, Other: 10, TooLate: 2, Dropped: 8}, 3, nil},
	} {
		is := Counts{Folded: step.folded, Clamped: step.clamped}
		got := losses(&was, &is)
		if !slices.EqualFunc(got, step.want, strings.HasPrefix) {
			t.Errorf("%+v: said %q, want %q", step.folded, got, step.want)
		}
		was = is
	}
}
