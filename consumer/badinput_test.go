package consumer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

type scales map[string]consumer.Scale

func (s scales) Scale(rubric string) (consumer.Scale, bool) {
	sc, ok := s[rubric]
	return sc, ok
}

var testScales = scales{
	"grounding": {Min: 0, Max: 1, HasRange: true},
	"verdict":   {Min: 0, Max: 1, HasRange: true, Labels: map[string]float64{"pass": 1, "fail": 0}},
}

var testClock = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC).UnixNano()

func newCore(t testing.TB, encoding consumer.NewDecoder) *consumer.Core {
	t.Helper()
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}})
	if err != nil {
		t.Fatal(err)
	}
	return consumer.NewCore(consumer.CoreConfig{
		Source: windows.Source{Topic: "spans", Partition: 2}, Decoder: encoding(attrs), Dimensions: attrs.Dimensions(),
		Scales: testScales, Partitions: 3, Partition: func(p string) int { return len(p) % 3 }, Now: testClock,
	})
}

// secret stands for all text that must not leave a decoder.
const secret = "the customer's own words"

func goodCall() otlpgen.Call {
	c := otlpgen.Call{
		Prompt: "refund", Version: "v18", Tier: "enterprise", Locale: "de", Model: "m1", Start: benchStart, End: benchStart.Add(1500 * time.Millisecond),
		InputTokens: 100, OutputTokens: 20, Cost: 0.5, Text: secret,
	}
	c.Trace, c.Span = [16]byte{1, 2}, [8]byte{3}
	return c
}

// span is a good span with its attributes changed: a nil value takes one away.
func span(changes ...otlpgen.Attribute) otlpgen.Span {
	c := goodCall()
	s := c.OTLP()
	for _, ch := range changes {
		s.Attributes = slices.DeleteFunc(s.Attributes, func(a otlpgen.Attribute) bool { return a.Key == ch.Key })
		if ch.Value != nil {
			s.Attributes = append(s.Attributes, ch)
		}
	}
	return s
}

func request(spans ...otlpgen.Span) []byte { return otlpgen.AppendSpans(nil, nil, spans...) }

func result(attrs ...otlpgen.Attribute) otlpgen.Event {
	return otlpgen.Event{Name: "gen_ai.evaluation.result", Attributes: attrs}
}

const evaluationName, evaluationValue, evaluationLabel = "gen_ai.evaluation.name", "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label"

func attr(k string, v any) otlpgen.Attribute { return otlpgen.Attribute{Key: k, Value: v} }

// outcome is what became of a record.
type outcome struct {
	Samples int
	Dead    []string // reasons
}

// feed gives a record between two good ones and checks that those come through.
func feed(t *testing.T, encoding consumer.NewDecoder, good, record []byte) (outcome, []consumer.Letter) {
	t.Helper()
	core := newCore(t, encoding)
	core.Add(10, good, testClock)
	core.Add(11, record, testClock)
	core.Add(12, good, testClock)
	waves, dead, next := core.Cut(testClock, true)
	if next != 13 {
		t.Errorf("commits %d, want 13", next)
	}
	var o outcome
	seen := map[int64]bool{}
	for _, w := range waves {
		for _, s := range w {
			var b windows.Batch
			if err := b.Decode(s.Value); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(s.Value, []byte("customer")) {
				t.Error("text in a samples batch")
			}
			for _, p := range b.Pos {
				seen[p.Offset] = true
				if p.Offset == 11 {
					o.Samples++
				}
			}
		}
	}
	if !seen[10] || !seen[12] {
		t.Errorf("the records beside it were disturbed: %v", seen)
	}
	for _, l := range dead {
		o.Dead = append(o.Dead, l.Headers["driftd-reason"])
		if l.Headers["driftd-topic"] != "spans" || l.Headers["driftd-partition"] != "2" || l.Headers["driftd-offset"] != "11" || l.Headers["driftd-detail"] == "" ||
			l.Headers["driftd-time"] != "2026-11-20T15:00:00Z" {
			t.Errorf("headers of the letter: %v", l.Headers)
		}
		if strings.Contains(l.Headers["driftd-detail"], "customer") {
			t.Errorf("text in the detail: %v", l.Headers)
		}
	}
	return o, dead
}

func TestBadOTLP(t *testing.T) {
	good := request(span())
	manyAttrs := span()
	attributes, many := 100_000, 50_000
	if testing.Short() {
		attributes, many = 10_000, 5000
	}
	for i := range attributes {
		manyAttrs.Attributes = append(manyAttrs.Attributes, attr(fmt.Sprintf("k%d", i), "v"))
	}
	deep := any("x")
	for range 5000 {
		deep = []any{deep}
	}
	manySpans := make([]otlpgen.Span, many)
	for i := range manySpans {
		manySpans[i] = span()
	}
	badIDs := span()
	badIDs.Trace = []byte("5b8efff798038103d269b633813fc60c")
	noIDs := span()
	noIDs.Trace, noIDs.ID = nil, nil
	backwards := span()
	backwards.Start, backwards.End = backwards.End, backwards.Start
	at := func(ns uint64) []byte {
		s := span()
		s.Start, s.End = ns-1e9, ns
		return request(s)
	}
	endless := span()
	endless.End = 0
	flipped := slices.Clone(good)
	flipped[1] ^= 0x40
	scored := func(events ...otlpgen.Event) []byte {
		s := span()
		s.Events = events
		return request(s)
	}
	manyScores := make([]otlpgen.Event, 300)
	for i := range manyScores {
		manyScores[i] = result(attr(evaluationName, fmt.Sprintf("r%d", i)), attr(evaluationValue, 0.5))
	}
	with := func(k string, v any) []byte { return request(span(attr(k, v))) }
	logs := []byte{0x0a, 0x0f, 0x12, 0x0d, 0x12, 0x0b, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0x09} // a LogRecord with time and severity

	for name, tc := range map[string]struct {
		record []byte
		want   outcome
	}{
		"cut short":                      {good[:len(good)-3], outcome{0, []string{"malformed"}}},
		"bit flipped in a length":        {flipped, outcome{0, []string{"malformed"}}},
		"one bad span spoils the record": {append(request(span(), span()), 0x0a, 0x7f), outcome{0, []string{"malformed"}}},
		"tombstone":                      {nil, outcome{}},
		"10 MB in one attribute":         {with("gen_ai.input.messages", strings.Repeat("x", 10<<20)), outcome{1, nil}},
		"many spans":                     {request(manySpans...), outcome{many, nil}},
		"100,000 attributes":             {request(manyAttrs), outcome{1, nil}},
		"deep nesting":                   {with("gen_ai.input.messages", deep), outcome{1, nil}},
		"deep nesting in a known name":   {with("prompt.version", deep), outcome{1, nil}},
		"ids of wrong length":            {request(badIDs), outcome{0, []string{"bad_id"}}},
		"no ids":                         {request(noIDs), outcome{1, nil}},
		"NaN cost":                       {with("gen_ai.usage.cost", math.NaN()), outcome{0, []string{"bad_value"}}},
		"infinite cost":                  {with("gen_ai.usage.cost", math.Inf(1)), outcome{0, []string{"bad_value"}}},
		"cost of 1e300":                  {with("gen_ai.usage.cost", 1e300), outcome{0, []string{"bad_value"}}},
		"negative tokens":                {with("gen_ai.usage.input_tokens", -4), outcome{0, []string{"bad_value"}}},
		"tokens that are no number":      {with("gen_ai.usage.input_tokens", "many"), outcome{0, []string{"bad_value"}}},
		"tokens in a text":               {with("gen_ai.usage.input_tokens", "41"), outcome{1, nil}},
		"negative latency":               {request(backwards), outcome{0, []string{"negative_latency"}}},
		"no end":                         {request(endless), outcome{0, []string{"bad_time"}}},
		"1970":                           {at(1763640000), outcome{0, []string{"bad_time"}}},
		"2100":                           {at(4102444800e9), outcome{0, []string{"future"}}},
		"end of time":                    {at(math.MaxUint64), outcome{0, []string{"future"}}},
		"4 min ahead":                    {at(uint64(testClock) + 240e9), outcome{1, nil}},
		"6 min ahead":                    {at(uint64(testClock) + 360e9), outcome{0, []string{"future"}}},
		"no prompt":                      {with("prompt.name", nil), outcome{}},
		"empty prompt":                   {with("prompt.name", ""), outcome{}},
		"prompt of 10 kB":                {with("prompt.name", strings.Repeat("x", 10_000)), outcome{0, []string{"prompt_name"}}},
		"prompt with lines":              {with("prompt.name", "Answer\n"+secret), outcome{0, []string{"prompt_name"}}},
		"prompt with markup":             {with("prompt.name", "<script>alert(1)</script>"), outcome{1, nil}},
		"prompt not UTF-8":               {with("prompt.name", "caf\xe9"), outcome{0, []string{"invalid_utf8"}}},
		"long tier":                      {with("prompt.tier", strings.Repeat("x", 129)), outcome{0, []string{"label_value"}}},
		"long model":                     {with("gen_ai.response.model", strings.Repeat("x", 257)), outcome{0, []string{"label_value"}}},
		"attribute twice":                {request(func() otlpgen.Span { s := span(); s.Attributes = append(s.Attributes, s.Attributes...); return s }()), outcome{1, nil}},
		"no model call":                  {with("gen_ai.operation.name", "invoke_agent"), outcome{}},
		"JSON":                           {[]byte(`{"resourceSpans":[]}`), outcome{0, []string{"encoding"}}},
		"text":                           {[]byte("hello, world"), outcome{0, []string{"malformed"}}},
		"another message":                {[]byte{0x10, 0x01}, outcome{0, []string{"encoding"}}},
		"logs":                           {logs, outcome{}},
		"score out of range":             {scored(result(attr(evaluationName, "grounding"), attr(evaluationValue, 1.5))), outcome{1, []string{"out_of_range"}}},
		"score NaN":                      {scored(result(attr(evaluationName, "other"), attr(evaluationValue, math.NaN()))), outcome{1, []string{"bad_value"}}},
		"score of an unknown label":      {scored(result(attr(evaluationName, "verdict"), attr(evaluationLabel, "maybe"))), outcome{1, []string{"unknown_label"}}},
		"score without a value":          {scored(result(attr(evaluationName, "verdict"))), outcome{1, []string{"no_value"}}},
		"score without a rubric":         {scored(result(attr(evaluationValue, 1))), outcome{1, []string{"rubric_name"}}},
		"score on latency":               {scored(result(attr(evaluationName, "latency"), attr(evaluationValue, 1))), outcome{1, []string{"rubric_name"}}},
		"two scores on one rubric": {scored(result(attr(evaluationName, "grounding"), attr(evaluationValue, 1)), result(attr(evaluationName, "grounding"), attr(evaluationValue, 0))),
			outcome{1, []string{"duplicate_rubric"}}},
		"300 scores": {scored(manyScores...), outcome{0, []string{"too_many_scores"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, dead := feed(t, otlp.New, good, tc.record)
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
			checkLetters(t, tc.record, dead)
		})
	}
}

// checkLetters holds that the letter of an event is an event again, without text, and that of a record the record.
func checkLetters(t *testing.T, record []byte, dead []consumer.Letter) {
	t.Helper()
	for _, l := range dead {
		if _, event := l.Headers["driftd-index"]; !event {
			if !bytes.HasPrefix(record, l.Value) || len(l.Value) == 0 || len(l.Value) > 256<<10 {
				t.Errorf("letter of %d bytes for a record of %d", len(l.Value), len(record))
			}
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(l.Value, &v); err != nil {
			t.Errorf("letter %q: %v", l.Value, err)
		}
		if len(l.Value) > 1000 && l.Headers["driftd-reason"] != "too_many_scores" || strings.Contains(string(l.Value), "customer") {
			t.Errorf("text in the letter %q", l.Value)
		}
		attrs, _ := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}})
		if err := driftdjson.New(attrs).Decode(l.Value, func(*consumer.Event) {}); err != nil {
			t.Errorf("letter %q cannot be read again: %v", l.Value, err)
		}
	}
}

func TestBadNative(t *testing.T) {
	const good = `{"type":"span","time":"2026-11-20T14:00:00Z","prompt":"refund","version":"v18","latency":1.5}`
	with := func(more string) string { return good[:len(good)-1] + "," + more + "}" }
	score := func(more string) string {
		return `{"type":"score","time":"2026-11-20T14:00:00Z","prompt":"refund",` + more + "}"
	}
	var manyKeys strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&manyKeys, `"k%d":1,`, i)
	}
	for name, tc := range map[string]struct {
		record string
		want   outcome
	}{
		"good":                      {good, outcome{1, nil}},
		"cut short":                 {good[:len(good)-3], outcome{0, []string{"malformed"}}},
		"bit flipped":               {strings.Replace(good, `"prompt"`, `"prompt`, 1), outcome{0, []string{"malformed"}}},
		"two values":                {good + good, outcome{0, []string{"malformed"}}},
		"tombstone":                 {"", outcome{}},
		"10 MB":                     {with(`"text":"` + strings.Repeat("x", 10<<20) + `"`), outcome{1, nil}},
		"10 MB cut short":           {with(`"text":"` + strings.Repeat("x", 10<<20)), outcome{0, []string{"malformed"}}},
		"100,000 keys":              {with(manyKeys.String() + `"k":1`), outcome{1, nil}},
		"deep nesting":              {with(`"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)), outcome{1, nil}},
		"too deep nesting":          {with(`"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), outcome{0, []string{"too_deep"}}},
		"id of wrong length":        {with(`"trace_id":"5b8e"`), outcome{0, []string{"bad_id"}}},
		"id not hexadecimal":        {with(`"span_id":"eee19b7ec3c1b17g"`), outcome{0, []string{"bad_id"}}},
		"empty id":                  {with(`"trace_id":""`), outcome{1, nil}},
		"NaN":                       {with(`"cost":NaN`), outcome{0, []string{"malformed"}}},
		"NaN in a text":             {with(`"cost":"NaN"`), outcome{0, []string{"wrong_type"}}},
		"infinity":                  {with(`"cost":1e999`), outcome{0, []string{"bad_value"}}},
		"minus infinity":            {with(`"cost":-1e999`), outcome{0, []string{"bad_value"}}},
		"cost of 1e300":             {with(`"cost":1e300`), outcome{0, []string{"bad_value"}}},
		"negative latency":          {strings.Replace(good, "1.5", "-1.5", 1), outcome{0, []string{"negative_latency"}}},
		"no time":                   {`{"type":"span","prompt":"p"}`, outcome{0, []string{"bad_time"}}},
		"no type":                   {`{"time":1,"prompt":"p"}`, outcome{0, []string{"wrong_type"}}},
		"unknown type":              {strings.Replace(good, "span", "trace", 1), outcome{0, []string{"wrong_type"}}},
		"unknown kind":              {with(`"kind":"agent"`), outcome{0, []string{"wrong_type"}}},
		"kind other":                {with(`"kind":"other"`), outcome{}},
		"1970":                      {strings.Replace(good, `"2026-11-20T14:00:00Z"`, "1763640000", 1), outcome{0, []string{"bad_time"}}},
		"2100":                      {strings.Replace(good, "2026", "2100", 1), outcome{0, []string{"future"}}},
		"9999":                      {strings.Replace(good, "2026", "9999", 1), outcome{0, []string{"future"}}},
		"year 1":                    {strings.Replace(good, "2026", "0001", 1), outcome{0, []string{"bad_time"}}},
		"31st of February":          {strings.Replace(good, "11-20", "02-31", 1), outcome{0, []string{"wrong_type"}}},
		"time with a fraction":      {strings.Replace(good, `"2026-11-20T14:00:00Z"`, "1.5e18", 1), outcome{0, []string{"wrong_type"}}},
		"empty prompt":              {strings.Replace(good, "refund", "", 1), outcome{}},
		"prompt of 10 kB":           {strings.Replace(good, "refund", strings.Repeat("x", 10_000), 1), outcome{0, []string{"prompt_name"}}},
		"prompt with lines":         {strings.Replace(good, "refund", `a\n`+secret, 1), outcome{0, []string{"prompt_name"}}},
		"prompt with markup":        {strings.Replace(good, "refund", "<script>", 1), outcome{1, nil}},
		"prompt not UTF-8":          {strings.Replace(good, "refund", "caf\xe9", 1), outcome{0, []string{"invalid_utf8"}}},
		"prompt that is a number":   {strings.Replace(good, `"refund"`, "7", 1), outcome{0, []string{"wrong_type"}}},
		"version that is a number":  {strings.Replace(good, `"v18"`, "18", 1), outcome{1, nil}},
		"null":                      {with(`"tier":null,"cost":null,"scores":null`), outcome{1, nil}},
		"long locale":               {with(`"locale":"` + strings.Repeat("x", 129) + `"`), outcome{0, []string{"label_value"}}},
		"error that is a number":    {with(`"error":1`), outcome{0, []string{"wrong_type"}}},
		"known key twice":           {with(`"latency":2`), outcome{0, []string{"duplicate_key"}}},
		"unknown key twice":         {with(`"x":2,"x":3`), outcome{1, nil}},
		"rubric twice":              {with(`"scores":{"a":1,"a":0}`), outcome{0, []string{"duplicate_key"}}},
		"scores that are a list":    {with(`"scores":[1]`), outcome{0, []string{"wrong_type"}}},
		"score that is a text":      {with(`"scores":{"a":"1"}`), outcome{0, []string{"wrong_type"}}},
		"score out of range":        {with(`"scores":{"grounding":-0.1,"other":7}`), outcome{1, []string{"out_of_range"}}},
		"score of an unknown label": {score(`"rubric":"verdict","label":"maybe"`), outcome{0, []string{"unknown_label"}}},
		"score of a known label":    {score(`"rubric":"verdict","label":"pass"`), outcome{1, nil}},
		"score without a value":     {score(`"rubric":"verdict"`), outcome{0, []string{"no_value"}}},
		"score without anything":    {score(`"version":"v1"`), outcome{0, []string{"rubric_name"}}},
		"score without a prompt":    {strings.Replace(score(`"rubric":"a","value":1`), "refund", "", 1), outcome{0, []string{"unlinked"}}},
		"list":                      {"[" + good + "]", outcome{0, []string{"encoding"}}},
		"protobuf":                  {string(request(span())), outcome{0, []string{"encoding"}}},
		"blank":                     {"  ", outcome{0, []string{"encoding"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, dead := feed(t, driftdjson.New, []byte(good), []byte(tc.record))
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
			checkLetters(t, []byte(tc.record), dead)
		})
	}
}

func TestBrokenBatchAndTruncatedLetter(t *testing.T) {
	big := []byte("{" + strings.Repeat("x", 300<<10))
	_, dead := feed(t, otlp.New, request(span()), big)
	if len(dead) != 1 || dead[0].Headers["driftd-truncated"] != fmt.Sprint(len(big)) || len(dead[0].Value) != 256<<10 {
		t.Errorf("%d letters, headers %v", len(dead), dead[0].Headers)
	}
	core := newCore(t, otlp.New)
	core.Add(3, request(span()), testClock)
	core.Broken(4, 9, "unknown codec 7", testClock)
	core.Add(9, request(span()), testClock)
	_, dead, next := core.Cut(testClock, false)
	if next != 10 || len(dead) != 1 || dead[0].Headers["driftd-reason"] != "corrupt_batch" || dead[0].Headers["driftd-offset"] != "4" {
		t.Errorf("next %d, letters %v", next, dead)
	}
}
