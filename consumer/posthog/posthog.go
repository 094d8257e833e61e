// Package posthog decodes the topic that PostHog writes the events of all its projects to, clickhouse_events_json (newer
// releases write those of models to clickhouse_ai_events_json too): one JSON row a record, with uuid, event, properties,
// timestamp, team_id, project_id, distinct_id and what is known of the person. properties is JSON in a JSON text. timestamp is
// UTC without saying so, with a blank between day and time and 3 or 6 digits of a second. PostHog's SDKs send a row when a call
// is over, so it is the call's end; of spans that came by OpenTelemetry ($ai_ingestion_source otel) it is the start.
//
//   - $ai_generation is a model call. $ai_latency and $ai_time_to_first_token are seconds, $ai_total_cost_usd
//     is what PostHog's own ingestion worked out. $ai_is_error stands there when it is true. $ai_prompt_name, $ai_prompt_version
//     (an integer) and $ai_prompt_source are the application's to send; the source code_fallback says that the prompt could not
//     be had from PostHog, and is no version.
//   - $ai_span, $ai_embedding and $ai_trace are what stands around calls. They may carry the prompt.
//   - $ai_evaluation is a score. $ai_evaluation_result is a boolean; newer kinds of evaluation write
//     $ai_evaluation_numeric_result with an optional _min and _max, $ai_sentiment_label, or $ai_evaluation_categorical_result, a
//     list. $ai_evaluation_applicable false and $ai_evaluation_skipped true say that there is none. $ai_target_event_id is the
//     uuid of the generation's row. Evaluations of a whole trace have none, but $ai_target_type trace_id. Its $ai_model and token
//     counts are those of the judge. Newer releases copy $ai_prompt_name and $ai_prompt_version from the generation.
//   - $ai_metric is a score that users or applications give a trace: $ai_metric_name and $ai_metric_value, often a text.
//
// All other rows, and what belongs to an offline experiment ($ai_experiment_id, or $ai_evaluation_type offline), yield nothing.
//
// Of a row, the attribute table sees its own keys and the properties, so that own lists and dimensions may name any of them,
// project_id and $ai_provider too; they go before PostHog's own names. The properties that hold text, such as $ai_input and
// $ai_output_choices, are never looked at, whatever a list says.
package posthog

import (
	"errors"
	"slices"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/jsonscan"
)

// kind is what a row's event is to driftd.
type kind uint8

const (
	unknown kind = iota
	call
	span
	trace
	evaluation
	metric
)

var kinds = map[string]kind{
	"$ai_generation": call, "$ai_embedding": span, "$ai_span": span, "$ai_trace": trace, "$ai_evaluation": evaluation, "$ai_metric": metric,
}

type decoder struct {
	attrs      *consumer.Attributes
	json       jsonscan.Scanner
	row, props consumer.Set
	event      consumer.Event
	model      int // which dimension is the model; −1 is none
	onColumn   func(key []byte) error
	onProperty func(key []byte) error

	// Of the row at hand.
	kind      kind
	columns   uint8 // known ones that were there, by number
	uuid      []byte
	timestamp []byte
	packed    []byte // properties, as JSON in a JSON text
	unpacked  []byte // properties, when the event was known before they came
	found     found
	day       day
}

// New returns a decoder of PostHog's rows.
func New(attrs *consumer.Attributes) consumer.Decoder {
	d := &decoder{attrs: attrs, model: slices.Index(attrs.Dimensions(), "model")}
	d.event.Dimensions = make([][]byte, len(attrs.Dimensions()))
	d.onColumn, d.onProperty = d.column, d.property
	return d
}

// errSkip ends the reading of a row that is none of driftd's business.
var errSkip = errors.New("skip the row")

// Decode implements consumer.Decoder. At most one event a record.
func (d *decoder) Decode(record []byte, yield func(*consumer.Event)) error {
	s := &d.json
	s.Reset(record)
	if s.Peek() != '{' {
		return consumer.Refused(consumer.Encoding, "the record is no JSON object, its topic is set to posthog")
	}
	d.kind, d.columns = unknown, 0
	d.uuid, d.timestamp, d.packed, d.unpacked = nil, nil, nil, nil
	d.row.Reset()
	if err := d.object(d.onColumn, ""); err != nil {
		if err == errSkip {
			return nil
		}
		return err
	}
	if !s.AtEnd() {
		return consumer.Refused(consumer.Malformed, "more than one JSON value in the record")
	}
	if d.kind == unknown {
		return consumer.Refused(consumer.Encoding, "no row of PostHog's: it has no event")
	}
	if err := d.properties(); err != nil {
		return err
	}
	if d.build() {
		yield(&d.event)
	}
	return nil
}

// The known columns, numbered for the check that none stands twice.
const (
	columnUUID = iota
	columnEvent
	columnProperties
	columnTimestamp
)

var columnNames = [...]string{"uuid", "event", "properties", "timestamp"}

// column reads the value of a row's key. The keys of a row come in the order uuid, event, properties: most rows end here, at
// their second key.
func (d *decoder) column(key []byte) error {
	s := &d.json
	n := slices.Index(columnNames[:], string(key))
	if n >= 0 {
		if d.columns&(1<<n) != 0 {
			return consumer.Refused(consumer.DuplicateKey, "%s stands twice", columnNames[n])
		}
		d.columns |= 1 << n
	}
	switch n {
	case columnUUID:
		return d.text(&d.uuid)
	case columnTimestamp:
		return d.text(&d.timestamp)
	case columnEvent:
		var name []byte
		if err := d.text(&name); err != nil {
			return err
		}
		if d.kind = kinds[string(name)]; d.kind == unknown && name != nil {
			return errSkip
		}
		return nil
	case columnProperties:
		if d.kind != unknown && s.Peek() == '"' {
			return d.text(&d.unpacked)
		}
		s.Peek()
		at := s.Pos()
		if !s.Skip() {
			return d.malformed("")
		}
		d.packed = s.Since(at)
		return nil
	}
	slot, ok := d.attrs.Lookup(key)
	if !ok {
		return d.skip("")
	}
	v, err := d.scalar("")
	if err == nil {
		d.row.Put(slot, key, v)
	}
	return err
}

// properties reads a row's properties: JSON in a text, or an object right here, as those write it who fill the topic themselves.
func (d *decoder) properties() error {
	s := &d.json
	d.props.Reset()
	d.found = found{}
	object := d.unpacked
	if object == nil {
		if len(d.packed) == 0 || d.packed[0] == 'n' {
			return nil
		}
		if object = d.packed; object[0] == '"' {
			s.Turn(object)
			object, _ = s.Text()
		}
	}
	if len(object) == 0 {
		return nil
	}
	s.Turn(object)
	if s.Peek() != '{' {
		return consumer.Refused(consumer.WrongType, "properties are no JSON object")
	}
	if err := d.object(d.onProperty, inProperties); err != nil {
		return err
	}
	if !s.AtEnd() {
		return d.malformed(inProperties)
	}
	return nil
}
