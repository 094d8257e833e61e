// Package explain says what driftd makes of one record, field by field and in words: from which attribute each is taken, what was
// passed over and why, and what becomes of its events. It asks the code that ingest runs. Of a record it shows what driftd takes
// from it, and names of attributes; it never shows the values of others, which may be text.
package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/driftd/driftd/consumer"
)

// Report is what is made of a record. Its JSON is a contract: keys are added, never changed. Lists may be empty, texts are left out.
type Report struct {
	Encoding string   `json:"encoding"`
	Guessed  bool     `json:"guessed"`          // else as the config or a flag says
	Envelope string   `json:"envelope"`         // none or cloudevents
	Form     string   `json:"form"`             // in which the record was given: raw, base64 or hex
	Source   string   `json:"source,omitempty"` // topic of the config whose settings were used
	Verdict  string   `json:"verdict"`          // ok, dropped (some of it at least), or nothing (is in it for driftd)
	Says     string   `json:"says"`             // the same in words
	Reason   string   `json:"reason,omitempty"` // of the whole record, as in driftd.dead
	Detail   string   `json:"detail,omitempty"`
	Events   []Event  `json:"events"`
	Skipped  int      `json:"skipped"` // log records that are no scores
	Hints    []string `json:"hints"`
}

// The verdicts on a record.
const (
	OK      = "ok"
	Dropped = "dropped"
	Nothing = "nothing"
)

// Event is a span or a score of the record.
type Event struct {
	Type     string   `json:"type"`           // span or score
	Of       string   `json:"of"`             // what it was in the record: span, log record, record
	Name     string   `json:"name,omitempty"` // of the span
	Call     bool     `json:"call"`           // a model call
	Verdict  string   `json:"verdict"`        // counts, waits, remembered, repeats, doubled, unlinkable or dead
	Says     string   `json:"says"`
	Reason   string   `json:"reason,omitempty"`
	Detail   string   `json:"detail,omitempty"`
	Link     string   `json:"link,omitempty"`      // what became of the link that it needed
	LinkedTo *int     `json:"linked_to,omitempty"` // index of the event of this record
	Fields   []Field  `json:"fields"`
	Scores   []Score  `json:"scores"`
	Missing  []string `json:"missing"`  // fields that nothing was found for
	NotRead  []string `json:"not_read"` // names of attributes that driftd does not read
	Resource []string `json:"not_read_of_resource"`
	Hints    []string `json:"hints"`
}

// Field is what an event says of one thing.
type Field struct {
	Field      string       `json:"field"`
	Value      string       `json:"value,omitempty"`
	Attribute  string       `json:"attribute,omitempty"` // or key, or property
	From       string       `json:"from,omitempty"`      // span, resource, span event, record, link, …
	Note       string       `json:"note,omitempty"`
	PassedOver []PassedOver `json:"passed_over"`
}

// PassedOver is an attribute that was not taken.
type PassedOver struct {
	Attribute string `json:"attribute"`
	From      string `json:"from,omitempty"`
	Value     string `json:"value,omitempty"`
	Why       string `json:"why"`
}

// Score is a score on one rubric.
type Score struct {
	Rubric    string   `json:"rubric,omitempty"`
	Value     *float64 `json:"value,omitempty"`
	Label     string   `json:"label,omitempty"`
	Attribute string   `json:"attribute,omitempty"`
	Reason    string   `json:"reason,omitempty"` // why it would go to driftd.dead
	Detail    string   `json:"detail,omitempty"`
}

// Names of fields that are no dimensions.
const (
	fieldKind   = "kind"
	fieldPrompt = "prompt"
	fieldFault  = "fault"
	fieldScores = "scores"
)

// axisNames are the axes that are shown behind the dimensions.
var axisNames = []string{"template_hash", "variant", "environment", "model"}

// figureNames are the built-in metrics, in the order in which they are shown.
var figureNames = []string{"latency", "ttft", "input_tokens", "output_tokens", "cost", "error", "fallback"}

// idNames are what an event is known by.
var idNames = []string{"response_id", "trace_id", "span_id", "parent_span_id", "time"}

// fieldNames are all fields in the order in which they are shown.
func fieldNames(dims []string) []string {
	names := append([]string{fieldPrompt, "version"}, dims...)
	for _, n := range axisNames {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return append(append(names, figureNames...), idNames...)
}

// shownLabel is a label as it may be shown.
func shownLabel(b []byte) string {
	if len(b) > 0 && !consumer.Label(b) {
		return fmt.Sprintf("(%d bytes, no label)", len(b))
	}
	return string(b)
}

// maxNameWords bounds the words of an attribute's name that is shown: some producers make names of what they are given.
const maxNameWords = 3

// attributeName is the name of an attribute as it may be shown.
func attributeName(key string) string {
	if !isLabel([]byte(key)) || len(strings.Fields(key)) > maxNameWords {
		return fmt.Sprintf("(a name of %d bytes)", len(key))
	}
	return key
}

func attributeNames(keys []attribute) []string {
	names := []string{}
	for _, u := range keys {
		if name := attributeName(u.key); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// maxSpanName bounds the names of spans that are shown, bytes and words: instrumentations may have put text there.
const maxSpanName, maxSpanWords = 64, 4

// spanName is the name of a span as it may be shown.
func spanName(name string) string {
	if !isLabel([]byte(name)) || len(name) > maxSpanName || len(strings.Fields(name)) > maxSpanWords {
		return ""
	}
	return name
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
