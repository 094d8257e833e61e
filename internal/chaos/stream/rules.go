package stream

import "strings"

// ruleFile is the rules of a stream: many statistics, with bounds that the values pass again and again.
func ruleFile(spec *Spec) string {
	text := ruleText
	if spec.Cut {
		text = strings.Replace(text, tailRule, "", 1)
	}
	if spec.Rollback {
		text += rollbackRule
	}
	return text
}

const tailRule = `      - {alert: SlowTail, metric: latency, threshold: {stat: p95, window: 3m, above: 4s, recover_below: 3.5s}, min_samples: 20}
`

const ruleText = `rubrics:
  grounding: {min: 0, max: 1, better: higher}
  verdict: {labels: {pass: 1, fail: 0}, better: higher}
  style: {min: 0, max: 5, better: higher}
  alive: {min: 0, max: 1, better: higher}
groups:
  - name: cohorts
    match: {prompt: refund_handler}
    slice_by: [tier, locale]
    labels: {team: refunds}
    rules:
      - {alert: GroundingLow, rubric: grounding, threshold: {stat: mean, window: 10m, below: 0.85, recover_above: 0.88}, min_samples: 5, for: 2m, labels: {severity: page}}
      - {alert: GroundingTypical, rubric: grounding, threshold: {stat: p50, window: 20m, below: 0.85}, min_samples: 20, keep_firing_for: 2m}
      - {alert: VerdictsFail, rubric: verdict, threshold: {stat: mean, window: 15m, below: 0.75}, min_samples: 5, keep_firing_for: 3m}
      - {alert: Busy, metric: latency, threshold: {stat: count, window: 3m, above: 40}, min_samples: 1}
      - {alert: Silent, metric: latency, threshold: {stat: count, window: 2m, below: 12}, min_samples: 1, for: 1m}
  - name: tiers
    match: {prompt: refund_handler}
    slice_by: [tier]
    total: false
    rules:
      - {alert: GroundingWorst, rubric: grounding, threshold: {stat: min, window: 5m, below: 0.55}, min_samples: 1}
      - {alert: OutputMean, metric: output_tokens, threshold: {stat: mean, window: 1h, above: 250}, min_samples: 30}
  - name: search
    match: {prompt: search_answer}
    rules:
` + tailRule + `      - {alert: SlowMedian, metric: latency, threshold: {stat: p50, window: 1m, above: 4s}, min_samples: 5, for: 1m}
      - {alert: LatencyMean, metric: latency, threshold: {stat: mean, window: 15m, above: 3s, recover_below: 2.5s}, min_samples: 10}
      - {alert: CostSum, metric: cost, threshold: {stat: sum, window: 10m, above: 2}, min_samples: 10}
      - {alert: CostMean, metric: cost, threshold: {stat: mean, window: 5m, above: 0.01}, min_samples: 10, for: 3m}
      - {alert: FirstTokenMax, metric: ttft, threshold: {stat: max, window: 5m, above: 2s}, min_samples: 1}
      - {alert: StyleMean, rubric: style, threshold: {stat: mean, window: 30m, below: 3.5}, min_samples: 10}
      - {alert: ManyCalls, metric: latency, threshold: {stat: count, window: 75m, above: 900}, min_samples: 1}
  - name: triage
    match: {prompt: triage}
    slice_by: [tier]
    rules:
      - {alert: Errors, metric: error, threshold: {stat: rate, window: 10m, above: 10%}, min_samples: 5, keep_firing_for: 5m}
      - {alert: InputMax, metric: input_tokens, threshold: {stat: max, window: 3m, above: 4000}, min_samples: 1}
      - {alert: InputLeast, metric: input_tokens, threshold: {stat: min, window: 3m, below: 20}, min_samples: 1, for: 1m}
  - name: whole
    match: {prompt: refund_handler}
    rules:
      - {alert: Failing, metric: error, threshold: {stat: mean, window: 1h, above: 8%}, min_samples: 20}
      - {alert: Volume, metric: error, threshold: {stat: count, window: 1h, above: 200}, min_samples: 1}
  - name: pulse
    match: {prompt: pulse}
    rules:
      - {alert: Alive, rubric: alive, threshold: {stat: sum, window: 75m, above: 100}, min_samples: 1}
`

const rollbackRule = `  - name: rollback
    match: {prompt: returns}
    labels: {rollback: "yes"}
    rules:
      - {alert: ReturnsWrong, rubric: grounding, threshold: {stat: mean, window: 10m, below: 0.85, recover_above: 0.88}, min_samples: 20, for: 2m, rollback: auto}
`
