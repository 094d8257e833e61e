package oracle

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// event is a span or a score as a record says it.
type event struct {
	place
	offset int64
	index  int
	unread bool // see Record

	score    bool // not a span
	call     bool // a span of a model call
	time     int64
	trace    string // lower-case hex; empty is none
	span     string
	parent   string
	response string
	labels
	model, variant, environment, templateHash string
	figures                                   map[string]float64
	scores                                    []opinion
	fault                                     string // reason for which all of it is refused
}

// labels say what an event counts for.
type labels struct {
	prompt, version string
	dims            string // values joined by a zero byte
}

// opinion is one score.
type opinion struct {
	rubric, label string
	value         float64
	valued        bool
}

// place is a source partition.
type place struct {
	topic       string
	partition   int32
	incarnation string
}

// The metrics of a call.
var figureNames = []string{"latency", "ttft", "input_tokens", "output_tokens", "cost", "error", "fallback"}

const (
	maxValue = 1e12
	year2000 = 946684800e9
	year2100 = 4102444800e9 // what is as late is from the future, whatever the clock
	disorder = int64(10 * time.Second)
	longest  = int64(24 * time.Hour)
)

// refuse keeps the first fault.
func (e *event) refuse(reason string) {
	if e.fault == "" {
		e.fault = reason
	}
}

// checkFigures refuses an event with a figure that no call can have.
func (e *event) checkFigures() {
	for _, name := range figureNames {
		switch v, ok := e.figures[name]; {
		case !ok || v >= 0 && v <= maxValue:
		case name == "latency" && v < 0:
			e.refuse("negative_latency")
		default:
			e.refuse("bad_value")
		}
	}
}

// checkLabels refuses an event whose labels are too long, or no labels.
func (e *event) checkLabels() {
	check := func(text string, limit int, reason string) {
		switch {
		case len(text) > limit:
			e.refuse(reason)
		case strings.ContainsFunc(text, func(r rune) bool { return r < utf8.RuneSelf && unicode.IsControl(r) }):
			e.refuse(reason)
		case !utf8.ValidString(text):
			e.refuse("invalid_utf8")
		}
	}
	check(e.prompt, 256, "prompt_name")
	check(e.version, 128, "label_value")
	for _, d := range strings.Split(e.dims, "\x00") {
		check(d, 128, "label_value")
	}
	for _, axis := range []string{e.templateHash, e.model, e.variant, e.environment} {
		check(axis, 256, "label_value")
	}
}

// scale is a rubric's, as the rules say it.
type scale struct {
	Min, Max *float64
	Labels   map[string]float64
}

// judgeScores gives the scores that count by rubric, and the reasons for which others do not.
func (e *event) judgeScores(scales map[string]scale) (fine map[string]float64, refused []string) {
	fine = make(map[string]float64)
	for _, o := range e.scores {
		value := o.value
		known := scales[o.rubric]
		if o.rubric == "" || o.rubric == "volume" || slices.Contains(figureNames, o.rubric) {
			refused = append(refused, "rubric_name")
			continue
		}
		if !o.valued && o.label == "" {
			refused = append(refused, "no_value")
			continue
		}
		if !o.valued {
			v, ok := known.Labels[o.label]
			if !ok {
				refused = append(refused, "unknown_label")
				continue
			}
			value = v
		}
		if math.IsNaN(value) || math.Abs(value) > maxValue {
			refused = append(refused, "bad_value")
			continue
		}
		if known.Min != nil && value < *known.Min || known.Max != nil && value > *known.Max {
			refused = append(refused, "out_of_range")
			continue
		}
		if _, twice := fine[o.rubric]; twice {
			refused = append(refused, "duplicate_rubric")
			continue
		}
		fine[o.rubric] = value
	}
	return fine, refused
}
