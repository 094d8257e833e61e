package explain

import (
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// snap is the fields of an event, as they may be shown. Those that are not there are absent.
func snap(e *consumer.ProbedEvent, dims []string) snapshot {
	s := snapshot{fieldKind: "a score"}
	if e.Kind == consumer.Span {
		s[fieldKind] = "no model call"
		if e.Call {
			s[fieldKind] = "a model call"
		}
	}
	label := func(name string, v []byte) {
		if len(v) > 0 {
			s[name] = shownLabel(v)
		}
	}
	label(fieldPrompt, e.Prompt)
	label("version", e.Version)
	label("template_hash", e.TemplateHash)
	label("variant", e.Variant)
	label("environment", e.Environment)
	label("model", e.Model)
	label("response_id", e.Response)
	for i, d := range dims {
		label(d, e.Dimensions[i])
	}
	id := func(name string, v []byte) {
		if slices.ContainsFunc(v, func(b byte) bool { return b != 0 }) {
			s[name] = hex.EncodeToString(v)
		}
	}
	id("trace_id", e.Trace[:])
	id("span_id", e.Span[:])
	id("parent_span_id", e.Parent[:])
	if e.Time != 0 {
		s["time"] = time.Unix(0, e.Time).UTC().Format(time.RFC3339Nano)
	}
	for b := range windows.NumBuiltin {
		switch v := e.Values[b]; {
		case !e.Has.Has(b):
		case v != v:
			s[windows.BuiltinNames[b]] = "no number"
		case b == windows.BuiltinError || b == windows.BuiltinFallback:
			s[windows.BuiltinNames[b]] = map[bool]string{true: "yes", false: "no"}[v != 0]
		default:
			s[windows.BuiltinNames[b]] = number(v) + map[windows.Builtin]string{
				windows.BuiltinLatency: " s", windows.BuiltinTTFT: " s", windows.BuiltinCost: " USD",
			}[b]
		}
	}
	for i := range e.Scores {
		v := &e.Scores[i]
		text := shownLabel(v.Rubric) + " " + shownLabel(v.Label)
		if v.HasValue {
			text += number(v.Value)
		}
		s[scoreField(v)] = text
	}
	if e.Fault.Reason != consumer.Fine {
		s[fieldFault] = e.Fault.Detail
	}
	return s
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// scoreField is the name of a snapshot's field for a score.
func scoreField(v *consumer.ScoreValue) string { return fieldScores + " " + shownLabel(v.Rubric) }
