package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/demo"
)

// TestDemo plays the demo's story on a shorter day: all three stages, over the wire.
func TestDemo(t *testing.T) {
	plan := demo.Day
	plan.Length, plan.Speed, plan.Limit = 150*time.Minute, 1200, 2*time.Minute
	plan.Figures, plan.Good, plan.Fine = 8*time.Minute, 3*time.Minute, 10*time.Minute
	plan.Bad = 57 * time.Minute // until then the cohort has the scores that a baseline takes
	var out, logs strings.Builder
	screen := &demo.Screen{Out: &out, Err: &logs}
	log := slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := playDemo(t.Context(), plan, 22, screen, log); err != nil {
		t.Errorf("%v", err)
	}
	if logs.Len() > 0 {
		t.Errorf("the stages log at warn or above:\n%s", logs.String())
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("there are escape sequences although it is no terminal")
	}
	for _, told := range [][]string{
		{
			"start ", "rule ", "traffic ", "refund_handler             v18", "fine ", "no alert", "v23 in place of v22, by a person",
			"firing ", "GroundingRegressed: enterprise × de", "Slack ", "Likely cause: prompt version", "pending ", "firing ", "rollback  promote v22 in place of v23", "v22 in place of v23, by driftd", "recovery ", "resolved ",
			"each counted once, none late, none lost", "2 alerts in 5 steps, 2 Slack messages",
		},
		// Slack is told at the same time as the registry.
		{"drop ", "enterprise × de", "recovery "},
		{"firing ", "Slack     #llm-alerts receives", "🔴 GroundingBelowFloor · support_intent_classifier v23", "recovery ", "resolved ", "changed in place", "🟢 Resolved"},
	} {
		rest := out.String()
		for _, want := range told {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Errorf("%q is missing, or not where it should be", want)
				continue
			}
			rest = after
		}
	}
	if t.Failed() {
		t.Log("\n" + out.String())
	}
}
