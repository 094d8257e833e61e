package consumer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInlineScores(t *testing.T) {
	for name, tc := range map[string]struct {
		span []any
		want map[string]any
	}{
		"in any order": {
			[]any{"annotations.1.annotation.score", 2, "annotations.0.annotation.label", "x", "annotations.1.annotation.name", "b", "annotations.0.annotation.name", "a"},
			map[string]any{"a": "x", "b": 2.0},
		},
		"both forms":           {[]any{"annotations.0.annotation.name", "a", "annotations.0.annotation.score", 1, "evaluations.0.evaluation.name", "b", "evaluations.0.evaluation.score", 0.5}, map[string]any{"a": 1.0, "b": 0.5}},
		"large numbers":        {[]any{"annotations.123456789.annotation.name", "a", "annotations.123456789.annotation.score", 1}, map[string]any{"a": 1.0}},
		"a score that is text": {[]any{"eval.a.score", "0.25"}, map[string]any{"a": 0.25}},
		"a boolean":            {[]any{"eval.a.score", true}, map[string]any{"a": 1.0}},
		"a rubric with points": {[]any{"eval.a.b.score", 1}, map[string]any{"a.b": 1.0}},
		"no number":            {[]any{"annotations.x.annotation.name", "a", "annotations..annotation.score", 1, "annotations.1.annotations.score", 1, "annotation.name", "a"}, nil},
		"no rubric":            {[]any{"eval..score", 1, "eval.score", 1}, nil},
		"other parts":          {[]any{"annotations.0.annotation.metadata", "{}", "annotations.0.annotation.identifier", "x", "eval.a.reason", "text", "evaluation.name", "x"}, nil},
		"neither nor":          {[]any{"annotations.0.annotation.name", "a"}, map[string]any{"a": ""}},
		"of a trace":           {[]any{"trace.annotations.0.annotation.name", "a", "trace.annotations.0.annotation.score", 1}, nil},
	} {
		if d := cmp.Diff(tc.want, filled(t, AttributeOptions{}, tc.span, nil).Scores); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestTooManyInlineScores refuses the event and keeps no more than it must.
func TestTooManyInlineScores(t *testing.T) {
	for n, want := range map[int]string{MaxScores: "", MaxScores + 1: "too_many_scores", 10 * MaxScores: "too_many_scores"} {
		var span []any
		for i := range n {
			span = append(span, fmt.Sprintf("annotations.%d.annotation.name", i), fmt.Sprint("r", i), fmt.Sprintf("annotations.%d.annotation.score", i), i)
		}
		if got := filled(t, AttributeOptions{}, span, nil); got.Fault != want || len(got.Scores) != MaxScores {
			t.Errorf("%d: %q with %d", n, got.Fault, len(got.Scores))
		}
	}
}

// TestNumericLabels holds that labels that are numbers outlive the set, which the next evaluation of the span fills anew.
func TestNumericLabels(t *testing.T) {
	a, err := NewAttributes(AttributeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var s Set
	e := &Event{}
	for i := range 3 {
		a.FillScore(e, fill(a, &s, "gen_ai.evaluation.name", 10+i, "gen_ai.evaluation.score.label", 20+i))
	}
	if d := cmp.Diff(map[string]any{"10": "20", "11": "21", "12": "22"}, inWords(e).Scores); d != "" {
		t.Error(d)
	}
}

func TestEvaluationsInJSON(t *testing.T) {
	a, err := NewAttributes(AttributeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]map[string]any{
		`{"name":"a","score":0.5,"passed":true,"label":"x"}`:  {"a": 0.5},
		`{"name":"a","passed":true,"label":"x"}`:              {"a": 1.0},
		`{"name":"a","score":null,"passed":null,"label":"x"}`: {"a": "x"},
		`{"name":"a","status":"error","score":0}`:             nil,
		`{"name":"a","status":"skipped"}`:                     nil,
		`{"name":"a"}`:                                        {"a": ""},
		`nonsense`:                                            {"": ""},
	} {
		var s Set
		e := &Event{}
		a.FillScore(e, fill(a, &s, "json_encoded_event", text))
		if d := cmp.Diff(want, inWords(e).Scores); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for name, want := range map[string]bool{"gen_ai.evaluation.result": true, "langwatch.evaluation.custom": true, "exception": false, "": false} {
		if a.ScoreEvent([]byte(name)) != want {
			t.Errorf("%q is a score event: %v", name, !want)
		}
	}
}

func TestTarget(t *testing.T) {
	a, err := NewAttributes(AttributeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const span, trace = "eee19b7ec3c1b174", "5b8efff798038103d269b633813fc60c"
	for name, tc := range map[string]struct {
		attrs              []any
		is                 bool
		span, trace, fault string
	}{
		"none":         {attrs: []any{"gen_ai.evaluation.name", "a"}, span: "0100000000000000", trace: "02000000000000000000000000000000"},
		"a span":       {attrs: []any{"gen_ai.evaluation.target_span_id", strings.ToUpper(span)}, is: true, span: span, trace: "02000000000000000000000000000000"},
		"of a trace":   {attrs: []any{"gen_ai.evaluation.target_span_id", span, "gen_ai.evaluation.target_trace_id", trace}, is: true, span: span, trace: trace},
		"too short":    {attrs: []any{"gen_ai.evaluation.target_span_id", "eee1"}, is: true, fault: "bad_id"},
		"too long":     {attrs: []any{"gen_ai.evaluation.target_span_id", span + "0"}, is: true, fault: "bad_id"},
		"no hex":       {attrs: []any{"gen_ai.evaluation.target_span_id", "xee19b7ec3c1b174"}, is: true, fault: "bad_id"},
		"a number":     {attrs: []any{"gen_ai.evaluation.target_span_id", 7}, is: true, fault: "bad_id"},
		"no trace id":  {attrs: []any{"gen_ai.evaluation.target_span_id", span, "gen_ai.evaluation.target_trace_id", span}, is: true, fault: "bad_id"},
		"a trace only": {attrs: []any{"gen_ai.evaluation.target_trace_id", trace}, span: "0100000000000000", trace: "02000000000000000000000000000000"},
	} {
		var s Set
		e := &Event{Span: [8]byte{1}, Trace: [16]byte{2}, Parent: [8]byte{3}}
		is := a.Target(e, fill(a, &s, tc.attrs...))
		if is != tc.is || e.Fault.Reason.String() != tc.fault || is && e.Parent != [8]byte{} {
			t.Errorf("%s: %v, %+v", name, is, e)
		}
		if tc.fault == "" && (fmt.Sprintf("%x", e.Span) != tc.span || fmt.Sprintf("%x", e.Trace) != tc.trace) {
			t.Errorf("%s: about %x of %x", name, e.Span, e.Trace)
		}
	}
}

// TestOrdinaryKeysAreNoScores holds that keys which only look alike are not looked up for nothing.
func TestOrdinaryKeysAreNoScores(t *testing.T) {
	a, err := NewAttributes(AttributeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "a", "e", "eval", "eval.", "annotations.", "annotations.1", "annotations.1.", "annotations.1.annotation.", "evaluations.1.annotation.name", "exception.message", "app.name"} {
		if _, ok := a.Lookup([]byte(key)); ok {
			t.Errorf("%q is of use", key)
		}
	}
}
