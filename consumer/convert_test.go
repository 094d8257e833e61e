package consumer

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// converted is what a conversion makes of a text, or "none".
func converted(s *Set, c *conversion, text string) string {
	v, ok := c.do(s, &Value{Text: []byte(text)}, began)
	if !ok {
		return "none"
	}
	return string(v.append(nil))
}

func TestConversions(t *testing.T) {
	var s Set
	for _, tc := range []struct {
		how        *conversion
		text, want string
	}{
		{jsonText, `gpt-4o`, "gpt-4o"}, {jsonText, `"gpt-4o"`, "gpt-4o"}, {jsonText, `"a\"b"`, `a"b`}, {jsonText, `""`, "none"}, {jsonText, `"open`, "none"}, {jsonText, `"`, `"`},
		{handleName, "faq:3", "faq"}, {handleName, "a:b:3", "a:b"}, {handleName, "faq", "faq"}, {handleName, ":3", "none"}, {handleName, "faq:", "faq"},
		{handleNumber, "faq:3", "3"}, {handleNumber, "faq:0", "none"}, {handleNumber, "faq:latest", "none"}, {handleNumber, "faq:-1", "none"}, {handleNumber, "faq:1.5", "none"}, {handleNumber, "faq", "none"},
		{errorLevel, "ERROR", "ERROR"}, {errorLevel, "WARNING", "none"},
		{milliseconds, "250", "0.25"},
		{sinceStart, "2026-11-20T14:31:58.5Z", "0.5"}, {sinceStart, `"2026-11-20T14:31:58.5Z"`, "0.5"}, {sinceStart, "2026-11-20T14:31:59", "1"}, {sinceStart, "2026-11-20 14:31:58.25+00:00", "0.25"},
		{sinceStart, "2026-11-20T14:31:57Z", "-1"}, {sinceStart, "soon", "none"}, {sinceStart, "null", "none"}, {sinceStart, strings.Repeat("2", 50), "none"}, {sinceStart, "0001-01-01T00:00:00Z", "none"},
		{firstName, `[{"version":1,"name":"q"},{"name":"r"}]`, "q"}, {firstName, `{"name":"q"}`, "q"}, {firstName, `[]`, "none"}, {firstName, `["q"]`, "none"}, {firstName, `[{"name":""}]`, "none"},
		{firstName, `[{"name":null}]`, "none"}, {firstName, `[{"name":["q"]}]`, "none"}, {firstName, `"[{\"name\":\"q\"}]"`, "q"}, {firstName, `q`, "none"}, {firstName, ``, "none"},
		{firstName, `"\"\\\"[]\\\"\""`, "none"}, {firstName, `[{"name":"\u0061\n"}]`, "a\n"},
		{firstVersion, `[{"version":1}]`, "1"}, {firstVersion, `[{"version":"v1"}]`, "v1"}, {firstVersion, `[{"version":1.5}]`, "1.5"},
		{firstVersionNumber, `[{"version":{"commit":"c"}}]`, "c"}, {firstVersionNumber, `[{"version":{"commit":"c","version_number":2}}]`, "2"}, {firstVersionNumber, `[{"version":"v"}]`, "none"},
		{jsonInput, `{"input_tokens":2,"input":1}`, "1"}, {jsonInput, `{"input_tokens":2,"input":null}`, "2"}, {jsonInput, `{"output":2}`, "none"}, {jsonInput, `[{"input":2}]`, "none"}, {jsonInput, `{"input":1`, "none"},
		{jsonTotal, `{"total":3,"input":1}`, "3"}, {jsonTotal, `{"input":1,"output":0.5,"note":"x"}`, "1.5"}, {jsonTotal, `{"note":"x"}`, "none"}, {jsonTotal, `{}`, "none"}, {jsonTotal, `3`, "none"},
		{jsonTotal, `{"input":1,"output":`, "none"}, {jsonInput, `{"input":1e999}`, "none"}, {jsonInput, `{"input":123456789012345678901234567890}`, "123456789012345680000000000000"},
		{jsonPromptID, `{"model":"m","prompt":{"a":{"id":"no"},"id":"yes"}}`, "yes"}, {jsonPromptID, `{"id":"no"}`, "none"}, {jsonPromptID, `{"prompt":"no"}`, "none"},
		{jsonFallback, `{"isFallback":true}`, "true"},
		{kind, `"LLM"`, "true"}, {kind, "LLM", "true"}, {kind, "CHAIN", "false"}, {kind, "think", "none"}, {kind, "", "none"}, {kind, `"`, "none"},
		{jsonKind, `{"type":"llm"}`, "true"}, {jsonKind, `{"type":"task"}`, "false"}, {jsonKind, `{"name":"llm"}`, "none"}, {jsonKind, `llm`, "none"},
	} {
		if got := converted(&s, tc.how, tc.text); got != tc.want {
			t.Errorf("%s of %q: %q, want %q", tc.how.doc, tc.text, got, tc.want)
		}
	}
	if _, ok := sinceStart.do(&s, &Value{Text: []byte("2026-11-20T14:31:58.5Z")}, 0); ok {
		t.Error("a span without a start has a time to the first token")
	}
	for _, c := range []*conversion{firstName, jsonTotal, handleName, jsonKind} {
		if _, ok := c.do(&s, &Value{Type: Int, Int: 3}, began); ok {
			t.Errorf("%s: a number is something", c.doc)
		}
	}
}

// FuzzJSON holds what is read of JSON values against encoding/json.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		`[{"name":"q","version":"3"},{"name":"r"}]`, `"[{\"name\":\"q\",\"version\":3}]"`, `{"input":1,"output":2.5,"total":null}`, `{"name":"a\u00e9\n","name":"b"}`, `[[]]`, `"\"\\\"{}\\\"\""`,
		`{"prompt":{"id":"x"}}`, `{"a":{"b":[1,2,{"c":null}]},"name":"q"}`, `[{"name":{"name":1}}`, "{\"name\":\"\xff\"}", `{"total":1e5}`, ``, `"`, `{"name":tru`,
	} {
		f.Add(text)
	}
	conversions := []*conversion{jsonText, jsonName, jsonVersion, jsonInput, jsonTotal, firstName, firstVersion, firstVersionNumber, jsonPromptID, jsonKind, kind, handleName, handleNumber, sinceStart}
	f.Fuzz(func(t *testing.T, text string) {
		var s Set
		original := strings.Clone(text)
		for _, c := range conversions {
			value := Value{Text: []byte(text)}
			first, ok := c.do(&s, &value, began)
			was := string(first.append(nil))
			again, okAgain := c.do(&s, &value, began)
			if ok != okAgain || ok && was != string(again.append(nil)) {
				t.Errorf("%s of %q: %q, then %q", c.doc, text, was, again.append(nil))
			}
			if ok && first.Type == Other {
				t.Errorf("%s of %q: a value of no use", c.doc, text)
			}
			if !bytes.Equal(value.Text, []byte(original)) {
				t.Fatalf("%s changed %q", c.doc, original)
			}
		}
		// What encoding/json takes for an object with a name, read here too; the last of two names counts for both.
		var want struct{ Name *string }
		if json.Unmarshal([]byte(text), &want) != nil || want.Name == nil || *want.Name == "" || strings.ContainsRune(text, '\ufffd') || strings.Contains(*want.Name, "\ufffd") {
			return
		}
		var keys map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &keys) != nil || len(keys) != strings.Count(text, ":") || keys["name"] == nil {
			return // names that differ in case, twice or nested
		}
		if got := converted(&s, jsonName, text); got != *want.Name {
			t.Errorf("name of %q: %q, want %q", text, got, *want.Name)
		}
	})
}

// FuzzEvaluation reads evaluations and scores of JSON and attributes of all kinds.
func FuzzEvaluation(f *testing.F) {
	f.Add("json_encoded_event", `{"name":"toxicity","status":"processed","passed":true,"score":0.95}`)
	f.Add("braintrust.scores", `{"a":1,"b":null,"c":"x"}`)
	f.Add("annotations.0.annotation.name", "x")
	f.Add("eval.a.score", "3")
	f.Add("gen_ai.evaluation.target_span_id", "eee19b7ec3c1b174")
	a, err := NewAttributes(testOptions("", func(x *Explanation) {
		for _, finding := range x.Findings {
			if inspect([]byte(finding.Value), maxPrompt) != sound {
				panic("text is shown: " + finding.Value)
			}
		}
	}))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, text string) {
		var s Set
		e := &Event{Dimensions: make([][]byte, 2)}
		slot, ok := a.Lookup([]byte(key))
		if ok {
			s.Put(slot, []byte(key), Value{Text: []byte(text)})
		}
		a.FillScore(e, &s)
		a.Fill(e, &s, nil, began)
		a.Target(e, &s)
		if len(e.Scores) > MaxScores {
			t.Errorf("%d scores", len(e.Scores))
		}
		if !ok && len(e.Scores) != 1 {
			t.Errorf("%d scores of nothing", len(e.Scores))
		}
	})
}

func TestParseTimeNeverLies(t *testing.T) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00"} {
		at := time.Date(2026, 2, 28, 23, 59, 59, 123456789, time.FixedZone("", 5400))
		if got, ok := parseTime([]byte(at.Format(layout))); !ok || got != at.UnixNano() {
			t.Errorf("%s: %d, want %d", at.Format(layout), got, at.UnixNano())
		}
	}
	if at, ok := parseTime([]byte("2300-01-01T00:00:00Z")); ok && at < 0 || ok && at == math.MinInt64 {
		t.Error("a time beyond what there is came out as another")
	}
}
