package posthog

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

func newDecoder(t testing.TB, lists map[string][]string, dims ...consumer.Dimension) *decoder {
	t.Helper()
	dims = append([]consumer.Dimension{{Name: "tier"}, {Name: "locale"}, {Name: "model"}}, dims...)
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: dims, Lists: lists})
	if err != nil {
		t.Fatal(err)
	}
	return New(attrs).(*decoder)
}

// seen is an event with its bytes as texts.
type seen struct {
	Kind                          consumer.Kind
	Call                          bool
	Time                          string
	Trace, Span, Parent, Response string
	Prompt, Version, Model        string
	Dimensions                    string
	Figures                       map[string]float64
	Scores                        []string
	Fault                         consumer.Reason
}

func look(e *consumer.Event) seen {
	s := seen{
		Kind: e.Kind, Call: e.Call, Trace: hexOf(e.Trace[:]), Span: hexOf(e.Span[:]), Parent: hexOf(e.Parent[:]), Response: string(e.Response),
		Prompt: string(e.Prompt), Version: string(e.Version), Model: string(e.Model), Dimensions: string(bytes.Join(e.Dimensions, []byte("|"))), Fault: e.Fault.Reason,
	}
	if e.Time != 0 {
		s.Time = time.Unix(0, e.Time).UTC().Format(time.RFC3339Nano)
	}
	for b := range windows.NumBuiltin {
		if e.Has.Has(b) {
			if s.Figures == nil {
				s.Figures = map[string]float64{}
			}
			s.Figures[windows.BuiltinNames[b]] = e.Values[b]
		}
	}
	for _, v := range e.Scores {
		text := string(v.Rubric) + " " + string(v.Label)
		if v.HasValue {
			text = string(v.Rubric) + "=" + strconv.FormatFloat(v.Value, 'g', -1, 64)
		}
		s.Scores = append(s.Scores, text)
	}
	return s
}

func hexOf(b []byte) string {
	if bytes.Count(b, []byte{0}) == len(b) {
		return ""
	}
	return fmt.Sprintf("%x", b)
}

// decode gives the only event of a record; nil is none.
func decode(t *testing.T, d consumer.Decoder, record []byte) *seen {
	t.Helper()
	var got *seen
	if err := d.Decode(record, func(e *consumer.Event) {
		if got != nil {
			t.Error("more than one event")
		}
		s := look(e)
		got = &s
	}); err != nil {
		t.Error(err)
	}
	return got
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The ids of the fixtures: the trace is a UUID, the generation's span one too.
const (
	chat       = "3f2a7c9e51d44b8e9a630c7be1d2f845"
	root       = "a54970e5b006b3cb" // its halves xor each other
	generation = "0199c0de-4a10-7e55-8d21-6b1c3f90aa17"
)

func TestFixtures(t *testing.T) {
	d := newDecoder(t, nil)
	for name, want := range map[string]*seen{
		"generation": {
			Call: true, Time: "2026-11-20T14:32:00.123Z", Trace: chat, Span: spanOf("b5b3a1f0-7d5c-4f1c-8a55-2f40d4f0c9e1"), Parent: root, Response: generation,
			Prompt: "refund_handler", Version: "18", Model: "claude-4-7-sonnet-20260301", Dimensions: "enterprise|de|claude-4-7-sonnet-20260301",
			Figures: map[string]float64{"latency": 1.234, "ttft": 0.21, "input_tokens": 1240, "output_tokens": 180, "cost": 0.0028, "error": 0, "fallback": 0},
		},
		"generation_failed": { // the prompt could not be had, and the ids are the application's
			Call: true, Time: "2026-11-20T14:32:07Z", Trace: "a290db8b73d09f39f90ccbd673e03cee", Span: spanOf("0199c0de-4b22-7a10-9c44-0d9e5b1f2c38"), Response: "0199c0de-4b22-7a10-9c44-0d9e5b1f2c38",
			Prompt: "refund_handler", Model: "claude-4-7-sonnet-20260301", Dimensions: "enterprise|de|claude-4-7-sonnet-20260301",
			Figures: map[string]float64{"latency": 0.087, "error": 1, "fallback": 1},
		},
		"span": {
			Time: "2026-11-20T14:31:58.87Z", Trace: chat, Span: spanOf("9f1c2e3d-4b5a-4c6d-8e7f-0a1b2c3d4e5f"), Parent: root, Response: "0199c0de-49f0-7b31-8e12-5a6f7b8c9d0e",
			Prompt: "refund_handler", Version: "18", Dimensions: "||",
		},
		"trace": {
			Time: "2026-11-20T14:32:00.402Z", Trace: chat, Span: root, Response: "0199c0de-4c01-7d20-a1b2-c3d4e5f60718", Dimensions: "||",
		},
		"evaluation": {
			Kind: consumer.Score, Time: "2026-11-20T14:33:12.774Z", Trace: chat, Response: generation, Prompt: "refund_handler", Version: "18", Dimensions: "||",
			Scores: []string{"Grounded=1"},
		},
		"evaluation_numeric": {
			Kind: consumer.Score, Time: "2026-11-20T14:33:16Z", Trace: chat, Dimensions: "||", Scores: []string{"helpfulness=7.5"},
		},
		"metric": {
			Kind: consumer.Score, Time: "2026-11-20T14:33:27.312Z", Trace: chat, Dimensions: "||", Scores: []string{"rating=4"},
		},
		"pageview": nil,
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, decode(t, d, fixture(t, name))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// row is a row with these properties.
func row(event, properties string) string {
	return `{"uuid":"` + generation + `","event":` + strconv.Quote(event) + `,"properties":` + quote(properties) +
		`,"timestamp":"2026-11-20 14:32:00.123000","team_id":2,"project_id":7,"distinct_id":"u"}`
}

// quote writes a text as a JSON string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func TestRows(t *testing.T) {
	base := func(change func(*seen)) *seen {
		s := &seen{
			Call: true, Time: "2026-11-20T14:32:00.123Z", Span: spanOf(generation), Response: generation, Dimensions: "||",
		}
		change(s)
		return s
	}
	score := func(scores ...string) *seen {
		return &seen{Kind: consumer.Score, Time: "2026-11-20T14:32:00.123Z", Dimensions: "||", Scores: scores}
	}
	refused := func(r consumer.Reason) *seen { return base(func(s *seen) { s.Fault = r }) }
	const g, e = "$ai_generation", "$ai_evaluation"
	for name, tc := range map[string]struct {
		record string
		want   *seen
	}{
		"nothing but the event":    {row(g, `{}`), base(func(*seen) {})},
		"no properties":            {`{"event":"$ai_generation","timestamp":"2026-11-20 14:32:00.123000","uuid":"` + generation + `"}`, base(func(*seen) {})},
		"properties are null":      {`{"event":"$ai_generation","properties":null,"timestamp":"2026-11-20 14:32:00.123","uuid":"` + generation + `"}`, base(func(*seen) {})},
		"properties are empty":     {`{"event":"$ai_generation","properties":"","timestamp":"2026-11-20 14:32:00.123","uuid":"` + generation + `"}`, base(func(*seen) {})},
		"properties are an object": {`{"event":"$ai_generation","properties":{"$ai_prompt_name":"p"},"timestamp":"2026-11-20 14:32:00.123","uuid":"` + generation + `"}`, base(func(s *seen) { s.Prompt = "p" })},
		"properties come first":    {`{"properties":"{\"$ai_prompt_name\":\"p\\u00e4\"}","timestamp":"2026-11-20 14:32:00.123","uuid":"` + generation + `","event":"$ai_generation"}`, base(func(s *seen) { s.Prompt = "pä" })},
		"version is a text":        {row(g, `{"$ai_prompt_name":"p","$ai_prompt_version":"v3"}`), base(func(s *seen) { s.Prompt, s.Version = "p", "v3" })},
		"version without a prompt": {row(g, `{"$ai_prompt_version":3}`), base(func(s *seen) { s.Version = "3" })},
		"null is absent":           {row(g, `{"$ai_prompt_name":null,"$ai_latency":null,"$ai_trace_id":null,"$ai_is_error":null,"$ai_experiment_id":null}`), base(func(*seen) {})},
		"own name goes first":      {row(g, `{"$ai_prompt_name":"p","$ai_prompt_version":3,"prompt.name":"q"}`), base(func(s *seen) { s.Prompt = "q" })},
		"own version stays":        {row(g, `{"$ai_prompt_name":"p","$ai_prompt_version":3,"prompt.version":"v3"}`), base(func(s *seen) { s.Prompt, s.Version = "p", "v3" })},
		"figures in texts":         {row(g, `{"$ai_latency":"0.5","$ai_input_tokens":"41","$ai_total_cost_usd":""}`), base(func(s *seen) { s.Figures = map[string]float64{"latency": 0.5, "input_tokens": 41} })},
		"error by the status":      {row(g, `{"$ai_http_status":503}`), base(func(s *seen) { s.Figures = map[string]float64{"error": 1} })},
		"no error whatever status": {row(g, `{"$ai_http_status":503,"$ai_is_error":false}`), base(func(s *seen) { s.Figures = map[string]float64{"error": 0} })},
		"error as a text":          {row(g, `{"$ai_is_error":"true"}`), base(func(s *seen) { s.Figures = map[string]float64{"error": 1} })},
		"embedding":                {row("$ai_embedding", `{"$ai_input_tokens":7}`), base(func(s *seen) { s.Call = false })},
		"ids of OpenTelemetry": {row(g, `{"$ai_trace_id":"5B8EFFF798038103D269B633813FC60C","$ai_span_id":"eee19b7ec3c1b174","$ai_parent_id":"00f067aa0ba902b7"}`), base(func(s *seen) {
			s.Trace, s.Span, s.Parent = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "00f067aa0ba902b7"
		})},
		"ids of zeros":         {row(g, `{"$ai_trace_id":"00000000-0000-0000-0000-000000000000"}`), base(func(*seen) {})},
		"id is a number":       {row(g, `{"$ai_trace_id":42}`), base(func(s *seen) { s.Trace = "73475cb40a568e8da8a045ced110137e" })},
		"id is its own parent": {row(g, `{"$ai_span_id":"x","$ai_parent_id":"x"}`), base(func(s *seen) { s.Span = "2d711642b726b044" })},
		"time with Z":          {strings.Replace(row(g, `{}`), "2026-11-20 14:32:00.123000", "2026-11-20T14:32:00.123Z", 1), base(func(*seen) {})},
		"time with an offset":  {strings.Replace(row(g, `{}`), "2026-11-20 14:32:00.123000", "2026-11-20T16:32:00.123+02:00", 1), base(func(*seen) {})},
		"time of OpenTelemetry": {row(g, `{"$ai_ingestion_source":"otel","$ai_latency":1.5}`), base(func(s *seen) {
			s.Time, s.Figures = "2026-11-20T14:32:01.623Z", map[string]float64{"latency": 1.5}
		})},
		"OpenTelemetry without latency": {row(g, `{"$ai_ingestion_source":"otel"}`), base(func(*seen) {})},
		"time of an SDK":                {row(g, `{"$ai_ingestion_source":"sdk","$ai_latency":1.5}`), base(func(s *seen) { s.Figures = map[string]float64{"latency": 1.5} })},
		"no time":                       {`{"event":"$ai_generation","uuid":"` + generation + `"}`, base(func(s *seen) { s.Time = "" })},
		"bad time":                      {strings.Replace(row(g, `{}`), "14:32", "14:62", 1), base(func(s *seen) { s.Time, s.Fault = "", consumer.BadTime })},
		"latency is a list":             {row(g, `{"$ai_latency":[1]}`), base(func(s *seen) { s.Fault = consumer.BadValue; s.Figures = map[string]float64{"latency": math.NaN()} })},
		"name is a list":                {row(g, `{"$ai_prompt_name":["p"]}`), refused(consumer.WrongType)},
		"id is an object":               {row(g, `{"$ai_trace_id":{}}`), refused(consumer.BadID)},
		"offline experiment":            {row(g, `{"$ai_experiment_id":"x"}`), nil},
		"another event":                 {row("$pageview", `{`), nil},
		"custom event":                  {row("checkout", `{}`), nil},
		"feedback is text":              {row("$ai_feedback", `{"$ai_feedback_text":"great"}`), nil},
		"span":                          {row("$ai_span", `{"$ai_latency":1,"$ai_model":"m"}`), base(func(s *seen) { s.Call = false })},
		"false":                         {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_result":false}`), score("a=0")},
		"result in a text":              {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_result":"true"}`), score("a=1")},
		"result is a number":            {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_result":7}`), score("a=7")},
		"numeric zero":                  {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_numeric_result":0}`), score("a=0")},
		"numeric, boolean is null":      {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_result":null,"$ai_evaluation_numeric_result":-2.5}`), score("a=-2.5")},
		"at the limits":                 {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_numeric_result":10,"$ai_evaluation_numeric_result_min":10,"$ai_evaluation_numeric_result_max":10}`), score("a=10")},
		"above its maximum":             {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_numeric_result":10.1,"$ai_evaluation_numeric_result_max":10}`), func() *seen { s := score("a=10.1"); s.Fault = consumer.OutOfRange; return s }()},
		"below its minimum":             {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_numeric_result":-1,"$ai_score_min":0}`), func() *seen { s := score("a=-1"); s.Fault = consumer.OutOfRange; return s }()},
		"sentiment":                     {row(e, `{"$ai_evaluation_name":"mood","$ai_sentiment_label":"negative","$ai_sentiment_score":0.82}`), score("mood negative")},
		"one category":                  {row(e, `{"$ai_evaluation_name":"topic","$ai_evaluation_categorical_result":["refund"]}`), score("topic refund")},
		"several categories":            {row(e, `{"$ai_evaluation_name":"topic","$ai_evaluation_categorical_result":["refund","fraud"]}`), nil},
		"no category":                   {row(e, `{"$ai_evaluation_name":"topic","$ai_evaluation_categorical_result":[]}`), nil},
		"not applicable":                {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_applicable":false,"$ai_evaluation_result":true}`), nil},
		"not applicable as a text":      {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_applicable":"false","$ai_evaluation_result":true}`), nil},
		"applicable":                    {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_applicable":true,"$ai_evaluation_result":true}`), score("a=1")},
		"skipped":                       {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_skipped":true}`), nil},
		"offline":                       {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_type":"offline","$ai_evaluation_result":true}`), nil},
		"no result":                     {row(e, `{"$ai_evaluation_name":"a"}`), score("a ")},
		"no name":                       {row(e, `{"$ai_evaluation_result":true}`), score("=1")},
		"the judge's figures":           {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_result":true,"$ai_model":"judge","$ai_input_tokens":5,"$ai_latency":2}`), score("a=1")},
		"target by newer name":          {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_result":true,"$ai_target_id":"x-1","$ai_target_type":"generation_uuid"}`), func() *seen { s := score("a=1"); s.Response = "x-1"; return s }()},
		"target is a trace":             {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_result":true,"$ai_target_id":"5b8efff798038103d269b633813fc60c","$ai_target_type":"trace_id"}`), func() *seen { s := score("a=1"); s.Trace = "5b8efff798038103d269b633813fc60c"; return s }()},
		"target is a session":           {row(e, `{"$ai_evaluation_name":"a","$ai_evaluation_result":true,"$ai_target_id":"s","$ai_target_type":"session_id"}`), score("a=1")},
		"metric with a word":            {row("$ai_metric", `{"$ai_metric_name":"quality","$ai_metric_value":"bad"}`), score("quality bad")},
		"metric with a boolean":         {row("$ai_metric", `{"$ai_metric_name":"thumbs","$ai_metric_value":"true"}`), score("thumbs=1")},
		"metric without a value":        {row("$ai_metric", `{"$ai_metric_name":"thumbs"}`), score("thumbs ")},
	} {
		t.Run(name, func(t *testing.T) {
			got := decode(t, newDecoder(t, nil), []byte(tc.record))
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// spanOf is the span id of a UUID, worked out by another way than the decoder's.
func spanOf(uuid string) string {
	hex := strings.ReplaceAll(uuid, "-", "")
	a, _ := strconv.ParseUint(hex[:16], 16, 64)
	b, _ := strconv.ParseUint(hex[16:], 16, 64)
	return fmt.Sprintf("%016x", a^b)
}

func TestOwnLists(t *testing.T) {
	d := newDecoder(t, map[string][]string{"prompt": {"my.prompt", "$ai_span_name"}, "project": {"project_id"}, "text": {"$ai_input"}},
		consumer.Dimension{Name: "project"}, consumer.Dimension{Name: "provider_of", Attributes: []string{"$ai_provider"}}, consumer.Dimension{Name: "text"})
	got := decode(t, d, []byte(row("$ai_generation", `{"$ai_provider":"openai","$ai_span_name":"answer","$ai_prompt_name":"p","$ai_prompt_version":2,"tier":"pro","prompt.locale":"fr","$ai_model":"m","$ai_input":"the customer's own words"}`)))
	if got.Prompt != "answer" || got.Version != "" || got.Dimensions != "pro|fr|m|7|openai|" {
		t.Errorf("%+v", got)
	}
}

func TestRefused(t *testing.T) {
	good := row("$ai_generation", `{"$ai_prompt_name":"p"}`)
	for name, tc := range map[string]struct {
		record string
		want   consumer.Reason
	}{
		"text":                     {"hello", consumer.Encoding},
		"protobuf":                 {"\x0a\x02\x12\x00", consumer.Encoding},
		"blank":                    {" ", consumer.Encoding},
		"list":                     {"[" + good + "]", consumer.Encoding},
		"no event":                 {`{"uuid":"x","timestamp":"2026-11-20 14:32:00"}`, consumer.Encoding},
		"event is a number":        {`{"event":7}`, consumer.Encoding},
		"cut short":                {good[:len(good)-9], consumer.Malformed},
		"two rows":                 {good + good, consumer.Malformed},
		"cut short in properties":  {row("$ai_generation", `{"$ai_prompt_name":"p"`), consumer.Malformed},
		"two objects in it":        {row("$ai_generation", `{}{}`), consumer.Malformed},
		"bad escape in properties": {`{"event":"$ai_generation","properties":"{\x"}`, consumer.Malformed},
		"properties are a list":    {row("$ai_generation", `[]`), consumer.WrongType},
		"properties are a number":  {`{"event":"$ai_generation","properties":7}`, consumer.WrongType},
		"event twice":              {`{"event":"$ai_generation","event":"$ai_span"}`, consumer.DuplicateKey},
		"name twice":               {row("$ai_generation", `{"$ai_prompt_name":"p","$ai_prompt_name":"q"}`), consumer.DuplicateKey},
		"null and a name":          {row("$ai_generation", `{"$ai_prompt_name":null,"$ai_prompt_name":"q"}`), consumer.DuplicateKey},
		"deep in a text's place":   {row("$ai_generation", `{"$ai_input":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`}`), consumer.TooDeep},
		"deep in the row":          {`{"event":"$ai_generation","x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, consumer.TooDeep},
	} {
		t.Run(name, func(t *testing.T) {
			err := newDecoder(t, nil).Decode([]byte(tc.record), func(*consumer.Event) { t.Error("an event") })
			var refused *consumer.RecordError
			if !errors.As(err, &refused) || refused.Reason != tc.want {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}
