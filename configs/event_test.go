package configs

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
)

// nativeEvent documents driftd_json; TestNativeEvents holds it against the decoder. Further keys are the configured dimensions
// (text); others are ignored.
type nativeEvent struct {
	Type         string             `json:"type" enum:"span|score"`                            // what the event is
	Time         string             `json:"time" time:"true"`                                  // RFC 3339, or Unix nanoseconds as a whole number; of a span its end
	TraceID      string             `json:"trace_id,omitempty" pattern:"^[0-9a-fA-F]{32}$"`    // 32 hex digits
	SpanID       string             `json:"span_id,omitempty" pattern:"^[0-9a-fA-F]{16}$"`     // 16 hex digits; of a score the span that it is about
	ParentSpanID string             `json:"parent_span_id,omitempty" pattern:"^[0-9a-fA-F]*$"` // 16 hex digits
	Kind         string             `json:"kind,omitempty" enum:"inference|other"`             // of a span: inference (default) is a model call; other carries no figures of its own
	ResponseID   string             `json:"response_id,omitempty"`                             // id that the model's provider gave the response
	Prompt       string             `json:"prompt,omitempty"`                                  // name or id of the prompt
	Version      string             `json:"version,omitempty"`                                 // of the prompt
	Tier         string             `json:"tier,omitempty"`                                    // dimension: the customer's tier
	Locale       string             `json:"locale,omitempty"`                                  // dimension: the user's locale
	Variant      string             `json:"variant,omitempty"`                                 // axis, such as control
	Environment  string             `json:"environment,omitempty"`                             // axis, such as production
	TemplateHash string             `json:"template_hash,omitempty"`                           // axis: hash of the prompt's text
	Model        string             `json:"model,omitempty"`                                   // axis: the model that answered
	Provider     string             `json:"provider,omitempty"`                                // who runs the model; ignored
	Fallback     bool               `json:"fallback,omitempty"`                                // a fallback prompt was used
	Error        bool               `json:"error,omitempty"`                                   // the call failed
	Latency      float64            `json:"latency,omitempty"`                                 // seconds, of the whole call
	TTFT         float64            `json:"ttft,omitempty"`                                    // seconds to the first token
	InputTokens  float64            `json:"input_tokens,omitempty"`                            // of the call
	OutputTokens float64            `json:"output_tokens,omitempty"`                           // of the call
	Cost         float64            `json:"cost,omitempty"`                                    // USD of the call
	Scores       map[string]float64 `json:"scores,omitempty"`                                  // of a span: score by rubric
	Rubric       string             `json:"rubric,omitempty"`                                  // of a score
	Value        float64            `json:"value,omitempty"`                                   // of a score: the number
	Label        string             `json:"label,omitempty"`                                   // of a score: a word that the rubric's labels turn into a number
	Source       string             `json:"source,omitempty"`                                  // who gave the score; ignored
}

// events are those of the format's description.
var events = []string{
	`{"type":"span","time":"2026-11-20T14:32:00.123Z","trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174",
	 "prompt":"refund_handler","version":"v18","tier":"enterprise","locale":"de","variant":"control","environment":"production",
	 "template_hash":"b1d7e4","model":"claude-4-7-sonnet-20260301","provider":"anthropic","fallback":false,"error":false,
	 "latency":1.234,"ttft":0.21,"input_tokens":1240,"output_tokens":180,"cost":0.0028,"scores":{"citation_grounding":0.91}}`,
	`{"type":"score","time":"2026-11-20T14:32:04Z","trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174",
	 "rubric":"citation_grounding","value":0.91,"source":"judge"}`,
	`{"type":"score","time":1795185125000000000,"prompt":"refund_handler","version":"v18","tier":"enterprise","locale":"de",
	 "rubric":"verdict","label":"pass","trace_id":"5b8efff798038103d269b633813fc60c"}`,
}

// decodes tells whether the decoder takes the record for an event without a fault.
func decodes(t *testing.T, record string) bool {
	t.Helper()
	attributes, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	err = driftdjson.New(attributes).Decode([]byte(record), func(e *consumer.Event) {
		if e.Fault == (consumer.Fault{}) {
			count++
		}
	})
	return err == nil && count == 1
}

func TestNativeEvents(t *testing.T) {
	schema := loadSchema(t, "event.schema.json")
	for _, e := range events {
		if problem := conforms(schema, fromJSON(t, []byte(e))); problem != "" {
			t.Errorf("an example does not conform: %s", problem)
		}
		if !decodes(t, e) {
			t.Errorf("the decoder refuses %s", e)
		}
	}
	// A key with a wrong type is refused by both; but for those that are documented to be ignored.
	comments := fieldComments("event_test.go", "nativeEvent")
	for f := range reflect.TypeFor[nativeEvent]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		event := map[string]any{"type": "span", "time": "2026-11-20T14:32:00Z", "prompt": "p", "version": "v1", name: []int{1}}
		record, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		if conforms(schema, fromJSON(t, record)) == "" {
			t.Errorf("the schema lets pass %s", record)
		}
		if ignored := strings.HasSuffix(comments[f.Name], "ignored"); decodes(t, string(record)) != ignored {
			t.Errorf("the decoder takes %s: %v, want %v", record, !ignored, ignored)
		}
	}
	if !decodes(t, `{"type":"span","time":"2026-11-20T14:32:00Z","prompt":"p","version":"v1","unheard_of":[{}]}`) {
		t.Error("an unknown key is not ignored")
	}
}
