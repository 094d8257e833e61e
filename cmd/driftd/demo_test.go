package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/demo"
	"github.com/driftd/driftd/internal/testkit"
)

var errSeen = errors.New("it was seen")

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestDemo plays the demo's story on a shorter day, with both of its endings: all three stages, over the wire. With -short it is the
// beginning, up to the figures of the version that is fine.
func TestDemo(t *testing.T) {
	if testkit.Real() {
		t.Skip("the demo has a broker of its own")
	}
	begin := []string{
		"start ", "rule ", "rollback:", "traffic ", "refund_handler             v18", "fine ", "v23 in place of v22, by a person",
		"firing ", "GroundingRegressed: enterprise × de", "proposed ", "Slack ", "Likely cause: prompt version", "Approve rollback",
	}
	for name, c := range map[string]struct {
		approve bool
		told    []string
	}{
		"approved": {true, []string{"approved   by you", "written down before the registry is", "v22 in place of v23, by driftd", "recovered ", "resolved ", "changed in place", "🟢 Resolved", "in its thread", "1 alert in 2 steps, 1 Slack message", "1 rollback"}},
		"rejected": {false, []string{"rejected   by you", "pending ", "firing ", "Slack      #llm-alerts receives", "🔴 GroundingBelowFloor · support_intent_classifier v23", "2 Slack messages", "0 rollbacks"}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "rejected" && testing.Short() {
				t.Skip("one beginning is enough")
			}
			plan := demo.Day
			plan.Length, plan.Speed, plan.Limit = 130*time.Minute, 1200, 5*time.Minute
			plan.Figures, plan.Good, plan.Fine = 8*time.Minute, 3*time.Minute, 10*time.Minute
			plan.Bad = 57 * time.Minute // until then the cohort has the scores that a baseline takes
			var out, logs strings.Builder
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			screen := &demo.Screen{Out: &out, Err: &logs}
			want, end := slices.Concat(begin, c.told), "each counted once, none late, none lost"
			if testing.Short() { // what comes later is two more hours of the same traffic
				plan.Speed = 300 // a stall of the race detector's is less of event time
				want, end = begin[:6], "fine "
				screen.Out = writerFunc(func(p []byte) (int, error) {
					if out.Write(p); strings.Contains(out.String(), end) {
						cancel(errSeen)
					}
					return len(p), nil
				})
			}
			log := slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: slog.LevelWarn}))
			if err := playDemo(ctx, plan, 22, screen, log, decided(c.approve)); err != nil && !errors.Is(err, errSeen) {
				t.Errorf("%v", err)
			}
			if logs.Len() > 0 {
				t.Errorf("the stages log at warn or above:\n%s", logs.String())
			}
			if strings.Contains(out.String(), "\x1b") {
				t.Error("there are escape sequences although it is no terminal")
			}
			rest := out.String()
			for _, want := range want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Errorf("%q is missing, or not where it should be", want)
					continue
				}
				rest = after
			}
			if !strings.Contains(out.String(), end) {
				t.Errorf("it does not say %q", end)
			}
			if t.Failed() {
				t.Log("\n" + out.String())
			}
		})
	}
}
