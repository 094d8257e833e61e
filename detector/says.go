package detector

import (
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// about are the log's attributes of a step.
func about(r *Record) []any {
	attrs := []any{"type", r.Type, "rule", r.Rule, "prompt", r.Prompt}
	if r.Version != "" {
		attrs = append(attrs, "version", r.Version)
	}
	attrs = append(attrs, "cohort", rules.Cohort(r.Cohort).String(), "event_time", r.Time) // "time" is the line's own
	if r.Value != nil {
		attrs = append(attrs, "value", *r.Value)
	}
	if r.Bound != nil {
		attrs = append(attrs, "bound", *r.Bound)
	}
	attrs = append(attrs, "samples", r.Samples)
	if r.Reason != "" {
		attrs = append(attrs, "reason", r.Reason)
	}
	return attrs
}

// losses are what a partition says, once in its life, when samples begin to count for less than they are.
func losses(was, is *Counts) (says []string) {
	begins := func(was, is int, what string) {
		if was == 0 && is > 0 {
			says = append(says, what)
		}
	}
	begins(was.Other, is.Other, "a limit is reached: new cohorts, versions or prompts are counted together as "+windows.Other)
	begins(was.TooLate, is.TooLate, "samples of more than a day before the watermark come in, they are not counted")
	begins(was.Dropped, is.Dropped, "scores beyond the limits on rubrics or series come in, they are not counted")
	begins(was.Clamped, is.Clamped, "values outside the range of their rubric come in, rules with a false-alarm budget count them as its nearest end")
	return says
}
