package otlp_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/easyproto"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
)

// secret stands for text that must not leave a decoder.
const secret = "the customer's own words"

// became says what became of a record: its reason, or how many events, and the reasons of those that are refused.
func became(t *testing.T, d consumer.Decoder, record []byte) (what, detail string) {
	t.Helper()
	n := 0
	var faults []string
	err := d.Decode(record, func(e *consumer.Event) {
		n++
		if e.Fault.Reason != consumer.Fine {
			faults, detail = append(faults, e.Fault.Reason.String()), e.Fault.Detail
		}
		texts := append([][]byte{e.Prompt, e.Version, e.TemplateHash, e.Model, e.Variant, e.Environment, e.Response}, e.Dimensions...)
		for _, s := range e.Scores {
			texts = append(texts, s.Rubric, s.Label)
		}
		if all := bytes.Join(texts, nil); bytes.Contains(all, []byte("customer")) || strings.Contains(e.Fault.Detail, "customer") {
			t.Errorf("text in an event: %q, %s", all, e.Fault.Detail)
		}
	})
	if what = strings.Join(append([]string{fmt.Sprint(n)}, faults...), " "); err != nil {
		refused, ok := err.(*consumer.RecordError)
		if !ok {
			t.Fatalf("%T: %v", err, err)
		}
		what, detail = refused.Reason.String(), refused.Detail
	}
	if strings.Contains(detail, "customer") {
		t.Errorf("text in the detail: %s", detail)
	}
	return what, detail
}

type badInput map[string]struct {
	record string
	want   string
	detail string // that it contains
}

func (table badInput) run(t *testing.T, encoding consumer.NewDecoder, good []byte, attrs *consumer.Attributes) {
	d := encoding(attrs)
	for name, tc := range table {
		t.Run(name, func(t *testing.T) {
			if got, detail := became(t, d, []byte(tc.record)); got != tc.want || !strings.Contains(detail, tc.detail) {
				t.Errorf("%s: %s, want %s: …%s…", got, detail, tc.want, tc.detail)
			}
			if got, detail := became(t, d, good); got != "1" { // whatever came before
				t.Errorf("then a good record: %s %s", got, detail)
			}
		})
	}
}

func TestBadJSON(t *testing.T) {
	const head, tail = `{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[`, `]}]}]}`
	const ids = `"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"`
	span := func(members string) string { return head + "{" + members + "}" + tail }
	attr := func(key, value string) string {
		return span(ids + `,"attributes":[{"key":"` + key + `","value":` + value + `}]`)
	}
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	good := span(ids + `,"startTimeUnixNano":"1763640000000000000","endTimeUnixNano":"1763640001000000000","attributes":[{"key":"prompt.name","value":{"stringValue":"refund"}}]`)
	braced := otlpgen.AppendSpans(nil, nil, otlpgen.Span{End: 1, Name: strings.Repeat("x", 76)}) // begins like an object
	if braced[1] != '{' {
		t.Fatalf("the request has %d bytes", braced[1])
	}
	table := badInput{
		"good":                  {good, "1", ""},
		"cut short":             {good[:len(good)-4], "malformed", ""},
		"cut in a key":          {good[:20], "malformed", ""},
		"a comma too many":      {strings.Replace(good, `}}]`, `}},]`, 1), "malformed", ""},
		"bit flipped in quotes": {strings.Replace(good, `"scope"`, `"scope`, 1), "malformed", ""},
		"two values":            {good + good, "malformed", "more than one"},
		"nothing":               {"", "0", ""},
		"no resources":          {`{}`, "0", ""},
		"empty list":            {`{"resourceSpans":[]}`, "0", ""},
		"null":                  {`{"resourceSpans":null}`, "0", ""},
		"blank":                 {"  ", "encoding", ""},
		"list":                  {"[" + good + "]", "encoding", "no JSON object"},
		"text":                  {secret, "encoding", ""},
		"metrics":               {`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"x"}]}]}]}`, "encoding", "metrics"},
		"profiles":              {`{"resourceProfiles":[]}`, "encoding", "profiles"},
		"snake_case":            {`{"resource_spans":[]}`, "encoding", "camelCase"},
		"a native event":        {`{"type":"span","time":"2026-11-20T14:00:00Z"}`, "encoding", "neither"},
		"protobuf":              {string(otlpgen.AppendSpans(nil, nil, otlpgen.Span{End: 1})), "encoding", ""},
		"protobuf of 123 bytes": {string(braced), "encoding", "protobuf"},
		"NUL":                   {"\x00", "encoding", ""},

		"resources that are no list":   {`{"resourceSpans":{}}`, "wrong_type", "resourceSpans is not a list"},
		"a resource that is null":      {`{"resourceSpans":[null]}`, "wrong_type", "a resource is not an object"},
		"a span that is a text":        {head + `"` + secret + `"` + tail, "wrong_type", "a span"},
		"an id that is a number":       {span(`"traceId":5`), "wrong_type", "trace id"},
		"attributes that are a map":    {span(`"attributes":{"prompt.name":"refund"}`), "wrong_type", "attributes"},
		"a key that is a number":       {span(`"attributes":[{"key":5,"value":{}}]`), "wrong_type", "key"},
		"a value that is bare":         {attr("prompt.name", `"`+secret+`"`), "wrong_type", "value"},
		"nobody's value that is bare":  {attr("x", `"`+secret+`"`), "1", ""},
		"a text that is a number":      {attr("prompt.name", `{"stringValue":5}`), "wrong_type", "stringValue"},
		"a boolean in a text":          {attr("prompt.name", `{"boolValue":"true"}`), "wrong_type", "boolValue"},
		"an integer with a fraction":   {attr("gen_ai.usage.cost", `{"intValue":"1.5"}`), "wrong_type", "intValue"},
		"an integer too large":         {attr("gen_ai.usage.cost", `{"intValue":9223372036854775808}`), "wrong_type", "intValue"},
		"an integer too small":         {attr("gen_ai.usage.cost", `{"intValue":"-9223372036854775809"}`), "wrong_type", "intValue"},
		"an integer that is empty":     {attr("gen_ai.usage.cost", `{"intValue":""}`), "wrong_type", "intValue"},
		"a double that is a word":      {attr("gen_ai.usage.cost", `{"doubleValue":"`+secret+`"}`), "wrong_type", "doubleValue"},
		"a double that is a list":      {attr("gen_ai.usage.cost", `{"doubleValue":[]}`), "wrong_type", "doubleValue"},
		"a bare NaN":                   {attr("gen_ai.usage.cost", `{"doubleValue":NaN}`), "malformed", ""},
		"a time that is negative":      {span(`"startTimeUnixNano":-1`), "wrong_type", "startTimeUnixNano"},
		"a time with a fraction":       {span(`"endTimeUnixNano":1.5`), "wrong_type", "endTimeUnixNano"},
		"a time that is RFC 3339":      {span(`"endTimeUnixNano":"2026-11-20T14:00:00Z"`), "wrong_type", "endTimeUnixNano"},
		"a time beyond 64 bits":        {span(`"endTimeUnixNano":"18446744073709551616"`), "wrong_type", "endTimeUnixNano"},
		"events that are no list":      {span(`"events":{}`), "wrong_type", "events"},
		"an event that is a text":      {span(`"events":["` + secret + `"]`), "wrong_type", "a span event"},
		"a link that is a number":      {span(`"links":[5]`), "wrong_type", "a span link"},
		"a status that is a list":      {span(`"status":[]`), "wrong_type", "status"},
		"a status code that is a list": {span(`"status":{"code":[]}`), "wrong_type", "code"},

		"an id too short":           {span(`"traceId":"5b8e"`), "1 bad_id", "trace id of 2 bytes"},
		"a trace id as a span's":    {span(`"spanId":"5b8efff798038103d269b633813fc60c"`), "1 bad_id", "span id of 16 bytes"},
		"an odd id":                 {span(`"spanId":"5b8"`), "1 bad_id", "not hexadecimal"},
		"an id not hexadecimal":     {span(`"spanId":"eee19b7ec3c1b17g"`), "1 bad_id", "span id is not hexadecimal"},
		"an id with dashes":         {span(`"traceId":"5b8efff7-9803-8103-d269-b633813fc60c"`), "1 bad_id", "not hexadecimal"},
		"a trace id in base64":      {span(`"traceId":"W47/95gDgQPSabYzgT/GDA=="`), "1 bad_id", "trace id in base64: OTLP JSON has ids in hex"},
		"a span id in bare base64":  {span(`"spanId":"7uGbfsPBsXQ"`), "1 bad_id", "span id in base64"},
		"a parent's id in base64":   {span(`"parentSpanId":"7uGbfsPBsXQ="`), "1 bad_id", "parent span id in base64"},
		"empty ids":                 {span(`"traceId":"","spanId":"","parentSpanId":""`), "1", ""},
		"an id in capitals":         {span(`"traceId":"5B8EFFF798038103D269B633813FC60C"`), "1", ""},
		"one bad span spoils all":   {head + `{},{"events":5}` + tail, "wrong_type", ""},
		"one bad id spoils nothing": {head + `{"traceId":"x"},{` + ids + `}` + tail, "2 bad_id", ""},

		"a key twice":                  {span(ids + "," + ids), "duplicate_key", "traceId"},
		"spans twice":                  {`{"resourceSpans":[],"resourceSpans":[]}`, "duplicate_key", "resourceSpans"},
		"an attribute's key twice":     {span(`"attributes":[{"key":"a","key":"b"}]`), "duplicate_key", "key"},
		"an attribute's value twice":   {span(`"attributes":[{"key":"prompt.name","value":{"stringValue":"a"},"value":{"stringValue":"b"}}]`), "duplicate_key", "value"},
		"two values of an attribute":   {attr("prompt.name", `{"stringValue":"a","intValue":"1"}`), "duplicate_key", "two values"},
		"an unknown key twice":         {span(`"x":1,"x":2,` + ids), "1", ""},
		"an attribute twice":           {span(`"attributes":[{"key":"prompt.name","value":{"stringValue":"a"}},{"key":"prompt.name","value":{"stringValue":"b"}}]`), "1", ""},
		"nested":                       {span(`"x":` + deep(100)), "1", ""},
		"nested too deep":              {span(`"x":` + deep(20_000)), "too_deep", ""},
		"an attribute nested too deep": {attr("prompt.name", `{"arrayValue":`+deep(20_000)+`}`), "too_deep", ""},
		"10 MB of text":                {attr("gen_ai.input.messages", `{"stringValue":"`+strings.Repeat("x\\n", 10<<20/3)+`"}`), "1", ""},
		"10 MB of text, cut":           {attr("gen_ai.input.messages", `{"stringValue":"`+strings.Repeat("x", 10<<20)), "malformed", ""},
		"100,000 attributes":           {span(`"attributes":[` + strings.Repeat(`{"key":"x","value":{"intValue":"1"}},`, 100_000) + `{}]`), "1", ""},
		"nulls":                        {span(`"traceId":null,"attributes":null,"events":null,"links":null,"status":null,"endTimeUnixNano":null`), "1", ""},
		"nulls within":                 {span(`"attributes":[{"key":null,"value":null},{"key":"prompt.name","value":null},{"key":"prompt.name","value":{"stringValue":null}}],"status":{"code":null}`), "1", ""},
		"not UTF-8":                    {attr("prompt.name", "{\"stringValue\":\"caf\xe9\"}"), "1", ""}, // for the label's check
	}
	table.run(t, otlp.NewJSON, []byte(good), tableOf(t))
}

// field appends a field with a message or bytes to a message.
func field(number int, parts ...string) string {
	m := (&easyproto.MarshalerPool{}).Get()
	m.MessageMarshaler().AppendString(uint32(number), strings.Join(parts, ""))
	return string(m.Marshal(nil))
}

func TestBadProto(t *testing.T) {
	request := func(item string) string { return field(1, field(1), field(2, field(1), field(2, item))) }
	metric := func(data string) string {
		return request(field(1, "http.server.time") + field(2, secret) + field(3, "s") + data)
	}
	point := field(1, "\x11\x01\x02\x03\x04\x05\x06\x07\x08") // with a start time
	good := otlpgen.AppendSpans(nil, nil, otlpgen.Span{Start: 1, End: 2})
	logs := string(otlpgen.AppendLogs(nil, nil, otlpgen.Log{Name: "gen_ai.user.message", Time: 5, Body: secret}))
	const varint1, fixed1, fixed7, fixed11 = "\x08\x01", "\x09\x01\x02\x03\x04\x05\x06\x07\x08", "\x39\x01\x02\x03\x04\x05\x06\x07\x08", "\x59\x01\x02\x03\x04\x05\x06\x07\x08"
	table := badInput{
		"nothing":                  {"", "0", ""},
		"no scopes":                {field(1, field(1)), "0", ""},
		"no spans":                 {field(1, field(1), field(2, field(1))), "0", ""},
		"an empty span":            {request(""), "1", ""},
		"cut short":                {string(good[:len(good)-1]), "malformed", ""},
		"resources of wrong type":  {varint1, "encoding", ""},
		"fields of nobody":         {"\x18\x01", "encoding", "no resources"},
		"profiles":                 {field(1) + field(2, "x"), "encoding", "profiles"},
		"JSON":                     {`{"resourceSpans":[]}`, "encoding", "JSON"},
		"gauge":                    {metric(field(5, point)), "encoding", "metrics"},
		"sum":                      {metric(field(7, point, "\x10\x02\x18\x01")), "encoding", "metrics"},
		"histogram":                {metric(field(9, point, "\x10\x02")), "encoding", "metrics"},
		"exponential histogram":    {metric(field(10, point, "\x10\x02")), "encoding", "metrics"},
		"logs":                     {logs, "0", ""},
		"logs without times":       {request(field(5, field(1, secret)) + field(6, field(1, "x"))), "0", ""},
		"a log observed":           {request(field(9, "\x0a\x00\x10\x01567890123456") + fixed11), "0", ""},
		"a log behind a span":      {string(good) + logs, "encoding", "traces"},
		"a span behind a log":      {logs + string(good), "encoding", "logs"},
		"trace id of 32 bytes":     {string(otlpgen.AppendSpans(nil, nil, otlpgen.Span{Trace: []byte("5b8efff798038103d269b633813fc60c")})), "1 bad_id", "trace id of 32 bytes"},
		"span's attributes varint": {request(fixed7 + "\x48\x01"), "encoding", "attribute"},
		"attribute with a bare value": {
			request(fixed7 + field(9, field(1, "prompt.name"), "\x10\x01")), "encoding", "attribute",
		},
		"log's time and span's status": {request(fixed1 + field(15, "\x18\x02")), "0", ""}, // an unknown field of a log record
	}
	table.run(t, otlp.New, good, tableOf(t))
}

// TestSignals tells requests by the first item that says something.
func TestSignals(t *testing.T) {
	empty := field(1, field(2, field(2)))
	log := string(otlpgen.AppendLogs(nil, nil, otlpgen.Log{Name: "gen_ai.evaluation.result", Time: 5}))
	d := otlp.New(tableOf(t))
	for name, tc := range map[string]struct {
		record string
		kinds  []consumer.Kind
	}{
		"an item without fields, then a log":  {field(1) + empty + log, []consumer.Kind{consumer.Score}},
		"an item without fields, then a span": {empty + string(otlpgen.AppendSpans(nil, nil, otlpgen.Span{End: 1})), []consumer.Kind{consumer.Span, consumer.Span}},
		"a span with attributes alone":        {field(1, field(2, field(2, field(9, field(1, "prompt.name"), field(2, field(1, "p")))))), []consumer.Kind{consumer.Span}},
		"a span with an event alone":          {field(1, field(2, field(2, field(11, "\x09\x01\x02\x03\x04\x05\x06\x07\x08", field(2, "x"))))), []consumer.Kind{consumer.Span}},
	} {
		var kinds []consumer.Kind
		if err := d.Decode([]byte(tc.record), func(e *consumer.Event) { kinds = append(kinds, e.Kind) }); err != nil || !slices.Equal(kinds, tc.kinds) {
			t.Errorf("%s: %v, %v, want %v", name, kinds, err, tc.kinds)
		}
	}
}
