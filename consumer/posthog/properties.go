package posthog

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/driftd/driftd/consumer"
)

// property is one of PostHog's own properties, by number.
type property uint8

const (
	prose property = iota // holds text and is never looked at
	promptName
	promptVersion
	promptSource
	model
	latency
	ttft
	inputTokens
	outputTokens
	cost
	isError
	httpStatus
	traceText
	spanText
	parentText
	source
	experiment
	evaluationName
	evaluationResult
	evaluationNumber
	evaluationMin
	evaluationMax
	evaluationApplicable
	evaluationSkipped
	evaluationMode
	evaluationCategory
	sentiment
	scoreMin
	scoreMax
	targetEvent
	target
	targetType
	metricName
	metricValue
	numProperties
)

var names = [numProperties]string{
	promptName: "$ai_prompt_name", promptVersion: "$ai_prompt_version", promptSource: "$ai_prompt_source", model: "$ai_model",
	latency: "$ai_latency", ttft: "$ai_time_to_first_token", inputTokens: "$ai_input_tokens", outputTokens: "$ai_output_tokens",
	cost: "$ai_total_cost_usd", isError: "$ai_is_error", httpStatus: "$ai_http_status",
	traceText: "$ai_trace_id", spanText: "$ai_span_id", parentText: "$ai_parent_id", source: "$ai_ingestion_source", experiment: "$ai_experiment_id",
	evaluationName: "$ai_evaluation_name", evaluationResult: "$ai_evaluation_result",
	evaluationNumber: "$ai_evaluation_numeric_result", evaluationMin: "$ai_evaluation_numeric_result_min", evaluationMax: "$ai_evaluation_numeric_result_max",
	evaluationApplicable: "$ai_evaluation_applicable", evaluationSkipped: "$ai_evaluation_skipped", evaluationMode: "$ai_evaluation_type",
	evaluationCategory: "$ai_evaluation_categorical_result", sentiment: "$ai_sentiment_label", scoreMin: "$ai_score_min", scoreMax: "$ai_score_max",
	targetEvent: "$ai_target_event_id", target: "$ai_target_id", targetType: "$ai_target_type",
	metricName: "$ai_metric_name", metricValue: "$ai_metric_value",
}

// numbers are the properties' numbers.
var numbers = func() map[string]property {
	m := map[string]property{}
	for _, name := range [...]string{
		"$ai_input", "$ai_output", "$ai_output_choices", "$ai_input_state", "$ai_output_state", "$ai_tools", "$ai_model_parameters", "$ai_error",
		"$ai_evaluation_reasoning", "$ai_feedback_text", "$ai_sentiment_messages", "$ai_sentiment_text", "$ai_expected", "$ai_reasoning",
	} {
		m[name] = prose
	}
	for p, name := range names {
		if name != "" {
			m[name] = property(p)
		}
	}
	return m
}()

// found is what a row says by PostHog's own names.
type found struct {
	seen   uint64 // properties that stood there, null too
	has    uint64 // those with a value
	values [numProperties]consumer.Value
}

func (f *found) get(p property) (*consumer.Value, bool) { return &f.values[p], f.has>>p&1 != 0 }

const inProperties = " of properties"

// property reads the value of a key of properties.
func (d *decoder) property(key []byte) error {
	p, own := prose, false
	if len(key) > 4 && string(key[:4]) == "$ai_" {
		if p, own = numbers[string(key)]; own && p == prose {
			return d.skip(inProperties)
		}
	}
	slot, listed := d.attrs.Lookup(key)
	if !own && !listed {
		return d.skip(inProperties)
	}
	first := d.json.Peek()
	v, err := d.value(p)
	if err != nil {
		return err
	}
	if listed {
		d.props.Put(slot, key, v)
	}
	if !own {
		return nil
	}
	if d.found.seen>>p&1 != 0 {
		return consumer.Refused(consumer.DuplicateKey, "%s stands twice", names[p])
	}
	d.found.seen |= 1 << p
	if first != 'n' {
		d.found.has |= 1 << p
		d.found.values[p] = v
	}
	return nil
}

func (d *decoder) value(p property) (consumer.Value, error) {
	if p == evaluationCategory {
		return d.one(inProperties)
	}
	return d.scalar(inProperties)
}

// name returns a label of PostHog's own: a text, or a number as it is written. Lists and the like refuse the event.
func (d *decoder) name(p property) []byte {
	v, ok := d.found.get(p)
	if !ok {
		return nil
	}
	switch v.Type {
	case consumer.Text, consumer.Int, consumer.Real:
		return v.Text
	}
	d.event.Refuse(consumer.WrongType, names[p]+" is neither text nor number")
	return nil
}

// number returns a figure. Some applications write numbers as texts. What is none refuses the event.
func (d *decoder) number(p property) (v float64, ok bool) {
	at, ok := d.found.get(p)
	if !ok || at.Type == consumer.Text && len(at.Text) == 0 {
		return 0, false
	}
	if v = number(at); math.IsNaN(v) {
		d.event.Refuse(consumer.BadValue, names[p]+" is no number")
	}
	return v, true
}

// number is a value as a number, NaN when it is none.
func number(v *consumer.Value) float64 {
	switch v.Type {
	case consumer.Int:
		return float64(v.Int)
	case consumer.Real:
		return v.Real
	case consumer.Text:
		if f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(v.Text), len(v.Text)), 64); err == nil {
			return f
		}
	}
	return math.NaN()
}

// says tells whether a property is true or false, or one of them as a text; ok is false for all else.
func (d *decoder) says(p property) (yes, ok bool) {
	v, ok := d.found.get(p)
	if !ok {
		return false, false
	}
	return boolean(v)
}

func boolean(v *consumer.Value) (yes, ok bool) {
	switch v.Type {
	case consumer.Bool, consumer.Int:
		return v.Int != 0, true
	case consumer.Text:
		switch string(v.Text) {
		case "true", "True":
			return true, true
		case "false", "False":
			return false, true
		}
	}
	return false, false
}

// is tells whether a property is this text.
func (d *decoder) is(p property, text string) bool {
	v, ok := d.found.get(p)
	return ok && v.Type == consumer.Text && string(v.Text) == text
}
