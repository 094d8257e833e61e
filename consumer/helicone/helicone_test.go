package helicone

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	dims = append([]consumer.Dimension{{Name: "tier"}, {Name: "locale"}}, dims...)
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: dims, Lists: lists})
	if err != nil {
		t.Fatal(err)
	}
	return New(attrs).(*decoder)
}

// seen is an event with its bytes as texts.
type seen struct {
	Kind                       consumer.Kind
	Call                       bool
	Time                       string
	Trace, Response            string
	Prompt, Version            string
	Model, Environment, Cohort string
	Figures                    map[string]float64
	Scores                     []string
	Fault                      consumer.Reason
}

func look(t testing.TB, e *consumer.Event) *seen {
	s := &seen{
		Kind: e.Kind, Call: e.Call, Response: string(e.Response), Prompt: string(e.Prompt), Version: string(e.Version), Model: string(e.Model),
		Environment: string(e.Environment), Cohort: string(bytes.Join(e.Dimensions, []byte("|"))), Fault: e.Fault.Reason,
	}
	if e.Trace != [16]byte{} {
		s.Trace = fmt.Sprintf("%x", e.Trace)
		high, _ := strconv.ParseUint(s.Trace[:16], 16, 64)
		low, _ := strconv.ParseUint(s.Trace[16:], 16, 64)
		if want := fmt.Sprintf("%016x", high^low); fmt.Sprintf("%x", e.Span) != want {
			t.Errorf("span %x, want %s", e.Span, want)
		}
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
		s.Scores = append(s.Scores, fmt.Sprintf("%s=%v %v", v.Rubric, v.Value, v.HasValue))
	}
	return s
}

// decode gives the only event of a record; nil is none.
func decode(t *testing.T, d consumer.Decoder, record []byte) (got *seen) {
	t.Helper()
	if err := d.Decode(record, func(e *consumer.Event) {
		if got != nil {
			t.Error("more than one event")
		}
		got = look(t, e)
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

func TestFixtures(t *testing.T) {
	const first, second = "7d0a5a3e-2c41-4f0b-9a57-1be6c6a3d9f4", "0f6b7f5d-53c4-4b0a-9a4f-64a6b0d9d5d2"
	plain := func(uuid string) string { return strings.ReplaceAll(uuid, "-", "") }
	d := newDecoder(t, nil)
	for name, want := range map[string]*seen{
		"log": {
			Call: true, Time: "2026-11-20T14:32:00.123Z", Trace: plain(first), Response: first, Prompt: "dUq9Xz", Version: "4b6e1c0a-8f0d-4a43-b7f2-3f8a5e0c9d11",
			Model: "claude-4-7-sonnet", Environment: "production", Cohort: "enterprise|de",
			Figures: map[string]float64{"latency": 1.234, "ttft": 0.21, "cost": 0.0028, "error": 0},
		},
		"log_legacy": {
			Call: true, Time: "2025-02-03T09:15:00.087Z", Trace: plain(second), Response: second, Prompt: "refund_handler", Version: "18", Cohort: "pro|en",
			Figures: map[string]float64{"latency": 0.087, "error": 1},
		},
		"log_encrypted": {
			Call: true, Time: "2024-06-11T10:00:01.5Z", Trace: "b1a5b8d46f0e4c7b8f658f1c2c3d4e5f", Response: "b1a5b8d4-6f0e-4c7b-8f65-8f1c2c3d4e5f", Prompt: "greeting", Version: "3",
			Model: "gpt-4-0613", Cohort: "free|", Figures: map[string]float64{"latency": 1.5, "error": 0},
		},
		"log_cached": {
			Time: "2026-11-20T14:32:00.123Z", Trace: plain(first), Response: first, Prompt: "dUq9Xz", Version: "4b6e1c0a-8f0d-4a43-b7f2-3f8a5e0c9d11",
			Model: "claude-4-7-sonnet", Environment: "production", Cohort: "enterprise|de",
		},
		"scores": {
			Kind: consumer.Score, Time: "2026-11-20T14:42:07.551Z", Trace: plain(first), Response: first, Cohort: "|",
			Scores: []string{"groundedness=91 true", "polite=1 true", "resolved=0 true"},
		},
		"feedback": {
			Kind: consumer.Score, Time: "2024-08-02T08:00:00Z", Trace: plain(second), Response: second, Cohort: "|", Scores: []string{"helicone-score-feedback=1 true"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			record := fixture(t, name)
			if diff := cmp.Diff(want, decode(t, d, record)); diff != "" {
				t.Error(diff)
			}
			var outer struct{ Value string }
			if err := json.Unmarshal(record, &outer); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, decode(t, d, []byte(outer.Value))); diff != "" {
				t.Errorf("not wrapped: %s", diff)
			}
		})
	}
}

// message is a log with these members in its places.
func message(meta, request, response string) string {
	return `{"authorization":"Bearer x","heliconeMeta":{` + meta + `},"log":{"request":{` + request + `},"response":{` + response + `}}}`
}

func TestMessages(t *testing.T) {
	base := func(change func(*seen)) *seen {
		s := &seen{Call: true, Cohort: "|"}
		change(s)
		return s
	}
	score := func(scores ...string) *seen {
		return &seen{Kind: consumer.Score, Response: "r", Cohort: "|", Scores: scores}
	}
	list := func(scores string) string { return `{"requestId":"r","scores":[` + scores + `]}` }
	for name, tc := range map[string]struct {
		record string
		want   *seen
	}{
		"empty":                     {message("", "", ""), base(func(*seen) {})},
		"null is absent":            {message(`"promptId":null`, `"id":null,"promptId":null,"properties":null,"cacheReferenceId":null`, `"status":null,"delayMs":null,"cost":null,"responseCreatedAt":null`), base(func(*seen) {})},
		"no meta":                   {`{"log":{"request":{"promptId":"p"}}}`, base(func(s *seen) { s.Prompt = "p" })},
		"new prompt before the old": {message(`"promptId":"new"`, `"promptId":"old","promptVersion":"7"`, ""), base(func(s *seen) { s.Prompt = "new" })},
		"old prompt, its property":  {message("", `"promptId":"","properties":{"helicone-prompt-id":"p","helicone-prompt-version":"2"}`, ""), base(func(s *seen) { s.Prompt, s.Version = "p", "2" })},
		"own property before all":   {message(`"promptId":"new","promptVersionId":"v"`, `"properties":{"prompt.name":"mine"}`, ""), base(func(s *seen) { s.Prompt = "mine" })},
		"own version stays":         {message(`"promptId":"new","promptVersionId":"v"`, `"properties":{"prompt.version":"w"}`, ""), base(func(s *seen) { s.Prompt, s.Version = "new", "w" })},
		"property in upper case":    {message("", `"properties":{"TIER":"pro","Prompt.Locale":"fr"}`, ""), base(func(s *seen) { s.Cohort = "pro|fr" })},
		"long property":             {message("", `"properties":{"`+strings.Repeat("x", 500)+`":"y","tier":"pro"}`, ""), base(func(s *seen) { s.Cohort = "pro|" })},
		"model by override":         {message(`"modelOverride":"mine","providerModelId":"theirs"`, `"model":"asked"`, `"model":"served"`), base(func(s *seen) { s.Model = "mine" })},
		"model of the request":      {message("", `"model":"asked"`, ""), base(func(s *seen) { s.Model = "asked" })},
		"status 399":                {message("", "", `"status":399`), base(func(s *seen) { s.Figures = map[string]float64{"error": 0} })},
		"status 400":                {message("", "", `"status":400`), base(func(s *seen) { s.Figures = map[string]float64{"error": 1} })},
		"time of the request":       {message("", `"requestCreatedAt":"2026-11-20T14:32:00Z"`, `"delayMs":500`), base(func(s *seen) { s.Time = "2026-11-20T14:32:00.5Z"; s.Figures = map[string]float64{"latency": 0.5} })},
		"bad time":                  {message("", "", `"responseCreatedAt":"yesterday"`), base(func(s *seen) { s.Fault = consumer.BadTime })},
		"time is a number":          {message("", "", `"responseCreatedAt":1763640000`), base(func(s *seen) { s.Fault = consumer.BadTime })},
		"prompt is a list":          {message(`"promptId":["p"]`, "", ""), base(func(s *seen) { s.Fault = consumer.WrongType })},
		"id is no UUID":             {message("", `"id":"7d0a5a3e-2c41-4f0b-9a57-1be6c6a3d9fg"`, ""), base(func(s *seen) { s.Response = "7d0a5a3e-2c41-4f0b-9a57-1be6c6a3d9fg" })},
		"experiment":                {message("", `"experimentColumnId":"c"`, ""), nil},
		"experiment by property":    {message("", `"properties":{"Helicone-Experiment-Id":"x"}`, ""), nil},
		"no experiment":             {message("", `"experimentColumnId":""`, ""), base(func(*seen) {})},
		"scores of all kinds":       {list(`{"score_attribute_key":"a","score_attribute_value":true},{"score_attribute_value":"0.5","score_attribute_key":"b"},{"score_attribute_key":"c","score_attribute_value":null},{"score_attribute_value":-7}`), score("a=1 true", "b=0.5 true", "c=0 false", "=-7 true")},
		"score that is a text":      {list(`{"score_attribute_key":"a","score_attribute_value":"good"}`), func() *seen { s := score("a=NaN true"); s.Fault = consumer.BadValue; return s }()},
		"no scores":                 {list(""), nil},
		"more scores than are allowed": {list(strings.Repeat(`{"score_attribute_key":"a","score_attribute_value":1},`, 256) + `{"score_attribute_key":"a","score_attribute_value":1}`), func() *seen {
			s := score(strings.Split(strings.Repeat("a=1 true,", 256), ",")[:256]...)
			s.Fault = consumer.TooManyScores
			return s
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDecoder(t, nil)
			for _, record := range []string{tc.record, `{"value":` + quote(tc.record) + `}`} {
				if diff := cmp.Diff(tc.want, decode(t, d, []byte(record))); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestOwnLists(t *testing.T) {
	d := newDecoder(t, map[string][]string{"prompt": {"feature"}, "vendor": {"provider"}}, consumer.Dimension{Name: "vendor"}, consumer.Dimension{Name: "countryCode"},
		consumer.Dimension{Name: "model"}, consumer.Dimension{Name: "environment"}, consumer.Dimension{Name: "authorization"}, consumer.Dimension{Name: "posthogApiKey"})
	got := decode(t, d, []byte(message(`"promptId":"p","gatewayModel":"m","promptEnvironment":"staging","posthogApiKey":"phc_secret"`, `"provider":"OPENAI","countryCode":"DE","properties":{"Feature":"answer"},"targetUrl":"https://x/?key=secret"`, "")))
	if got.Prompt != "answer" || got.Cohort != "||OPENAI|DE|m|staging||" {
		t.Errorf("%+v", got)
	}
}

func TestRefused(t *testing.T) {
	good := message(`"promptId":"p"`, `"id":"r"`, `"status":200`)
	for name, tc := range map[string]struct {
		record string
		want   consumer.Reason
	}{
		"text":                    {"Bearer x", consumer.Encoding},
		"blank":                   {" ", consumer.Encoding},
		"list":                    {"[" + good + "]", consumer.Encoding},
		"empty object":            {"{}", consumer.Encoding},
		"another message":         {`{"value":"{\"a\":1}"}`, consumer.Encoding},
		"wrapped text":            {`{"value":"Bearer x"}`, consumer.Encoding},
		"wrapped nothing":         {`{"value":""}`, consumer.Encoding},
		"wrapped object":          {`{"value":` + good + `}`, consumer.Encoding},
		"log without its parts":   {`{"log":{}}`, consumer.Encoding},
		"cut short":               {good[:len(good)-2], consumer.Malformed},
		"two messages":            {good + good, consumer.Malformed},
		"cut short inside":        {`{"value":` + quote(good[:len(good)-2]) + `}`, consumer.Malformed},
		"two messages inside":     {`{"value":` + quote(good+good) + `}`, consumer.Malformed},
		"log is a text":           {`{"log":"Bearer x"}`, consumer.WrongType},
		"request is a list":       {`{"log":{"request":[]}}`, consumer.WrongType},
		"properties are a text":   {message("", `"properties":"Bearer x"`, ""), consumer.WrongType},
		"scores are an object":    {`{"scores":{}}`, consumer.WrongType},
		"a score is a number":     {`{"scores":[7]}`, consumer.WrongType},
		"scores end in a comma":   {`{"scores":[{},]}`, consumer.WrongType},
		"scores without a comma":  {`{"scores":[{}{}]}`, consumer.Malformed},
		"status twice":            {message("", "", `"status":200,"status":500`), consumer.DuplicateKey},
		"null and a status":       {message("", "", `"status":null,"status":500`), consumer.DuplicateKey},
		"score's key twice":       {`{"scores":[{"score_attribute_key":"a","score_attribute_key":"b"}]}`, consumer.DuplicateKey},
		"deep in what is skipped": {`{"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, consumer.TooDeep},
	} {
		t.Run(name, func(t *testing.T) {
			err := newDecoder(t, nil).Decode([]byte(tc.record), func(*consumer.Event) { t.Error("an event") })
			var refused *consumer.RecordError
			if !errors.As(err, &refused) || refused.Reason != tc.want || strings.Contains(refused.Detail, "Bearer") {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}
