package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/internal/testkit"
)

// texts are attributes that producers put prompts, completions, users and secrets into; none of them is a label.
func texts() (all []otlpgen.Attribute) {
	for _, key := range []string{
		"gen_ai.prompt", "gen_ai.completion", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments",
		"gen_ai.prompt.0.content", "gen_ai.completion.0.content", "gen_ai.evaluation.explanation", "input.value", "output.value", "llm.input_messages.0.message.content",
		"llm.output_messages.0.message.content", "llm.prompt_template.template", "llm.prompt_template.variables", "langfuse.observation.input", "langfuse.observation.output",
		"langfuse.trace.input", "traceloop.entity.input", "traceloop.entity.output", "mlflow.spanInputs", "mlflow.spanOutputs", "user.id", "session.id", "enduser.id",
		"http.request.header.authorization", "url.full", "exception.message", "exception.stacktrace", "db.query.text", "metadata", "custom",
	} {
		all = append(all, otlpgen.Attribute{Key: key, Value: canary("text-" + key)})
	}
	nested := []otlpgen.Attribute{{Key: canary("text-nested-key"), Value: canary("text-nested")}}
	return append(all, otlpgen.Attribute{Key: canary("text-attribute-key"), Value: nested}, otlpgen.Attribute{Key: "list", Value: []any{canary("text-list"), nested}},
		otlpgen.Attribute{Key: "bytes", Value: []byte(canary("text-bytes"))})
}

// unsound are labels that hold text: no producer should, some do.
func unsound() [][]otlpgen.Attribute {
	text := canary("text-label") + " You are a helpful\nassistant"
	long := canary("text-long") + strings.Repeat(" and you are kind", 40)
	f := func(key, value string) []otlpgen.Attribute { return []otlpgen.Attribute{{Key: key, Value: value}} }
	return [][]otlpgen.Attribute{
		f("prompt.name", text), f("prompt.name", long), f("prompt.version", text), f("prompt.tier", text), f("prompt.locale", long), f("prompt.variant", text),
		f("prompt.template_hash", text), f("gen_ai.response.model", text), f("gen_ai.provider.name", text), f("gen_ai.usage.input_tokens", text), f("gen_ai.usage.cost", text),
		f("gen_ai.response.time_to_first_chunk", text), f("error.type", text), f("gen_ai.response.id", text), f("mlflow.linkedPrompts", `[{"name":"`+canary("text-mlflow")+`"`),
		f("annotations.0.annotation.label", text), f("annotations.0.annotation.explanation", text), f("prompt.condition.fallback", text), f("langfuse.observation.completion_start_time", text),
	}
}

// birds are the records with canaries, by source.
func birds() map[string][]kafkalog.Message {
	at := storyBegins.Add(5e9)
	out := map[string][]kafkalog.Message{}
	add := func(topic string, value []byte, headers ...kafkalog.Header) {
		out[topic] = append(out[topic], kafkalog.Message{Value: value, Headers: append(headers, kafkalog.Header{Key: "x-" + canary("header-key"), Value: []byte(canary("header"))})})
	}
	call := otlpgen.Call{Prompt: storyPrompt, Version: "v17", Tier: "free", Locale: "en", Model: "m", Start: at.Add(-1e9), End: at, Failed: true}
	span := func(n int, more ...otlpgen.Attribute) otlpgen.Span {
		call.Trace[0], call.Trace[15], call.Span[7] = 9, byte(n), 1
		s := call.OTLP()
		s.Name = canary("text-span-name")
		s.Trace, s.ID = bytes.Clone(call.Trace[:]), bytes.Clone(call.Span[:])
		s.Attributes = append(more, append(s.Attributes, texts()...)...)
		s.Events = append(s.Events, otlpgen.Event{Name: "exception", Attributes: texts()}, otlpgen.Event{Name: "gen_ai.content.prompt", Attributes: texts()},
			otlpgen.Event{Name: canary("text-event-name"), Attributes: texts()},
			otlpgen.Event{Name: "gen_ai.evaluation.result", Attributes: append(texts(), otlpgen.Attribute{Key: "gen_ai.evaluation.name", Value: scoreRubric}, otlpgen.Attribute{Key: "gen_ai.evaluation.score.label", Value: canary("text-score-label") + " it is\nbad"})},
			otlpgen.Event{Name: "gen_ai.evaluation.result", Attributes: []otlpgen.Attribute{{Key: "gen_ai.evaluation.name", Value: canary("text-rubric") + "\nis"}, {Key: "gen_ai.evaluation.score.value", Value: 0.5}}},
			otlpgen.Event{Name: "gen_ai.evaluation.result", Attributes: []otlpgen.Attribute{{Key: "gen_ai.evaluation.name", Value: scoreRubric}, {Key: "gen_ai.evaluation.score.value", Value: canary("text-score-value")}}})
		return s
	}
	resource := append(texts(), otlpgen.Attribute{Key: "service.name", Value: canary("text-service")})
	spans := []otlpgen.Span{span(0)}
	for i, u := range unsound() {
		spans = append(spans, span(i+1, u...))
	}
	future := span(100)
	future.Start, future.End = uint64(storyNow.UnixNano())+3600e9, uint64(storyNow.UnixNano())+3601e9
	odd := span(101)
	odd.Trace, odd.ID = []byte(canary("text-trace-id")), []byte(canary("text-span-id"))
	spans = append(spans, future, odd)
	for _, s := range spans {
		record := otlpgen.AppendSpans(nil, resource, s)
		add("proto", record)
		if text, err := otlpgen.TracesJSON(record); err == nil {
			add("json", text)
		}
	}
	whole := otlpgen.AppendSpans(nil, resource, spans[0])
	add("proto", whole[:len(whole)-7])
	add("proto", []byte(canary("raw-proto")))
	add("json", []byte(`{"resourceSpans":[{"x":"`+canary("raw-json")+`"`))
	add("json", []byte(`{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"`+canary("text-scope")+`"},"spans":[{"traceId":"`+canary("raw-trace")+`","spanId":"00000000000000aa","name":"x","startTimeUnixNano":"`+canary("raw-time")+`","traceState":"a=`+canary("text-state")+`","status":{"code":2,"message":"`+canary("text-status")+`"}}]}]}]}`))
	for _, l := range []otlpgen.Log{
		{Trace: spans[0].Trace, Span: spans[0].ID, Name: "gen_ai.evaluation.result", Body: canary("text-body"), Attributes: append(texts(), otlpgen.Attribute{Key: "gen_ai.evaluation.name", Value: scoreRubric}, otlpgen.Attribute{Key: "gen_ai.evaluation.score.value", Value: 0.9})},
		{Trace: []byte("0123456789abcdef"), Span: []byte("01234567"), Name: "gen_ai.evaluation.result", Body: canary("text-body"), Attributes: append(texts(), otlpgen.Attribute{Key: "gen_ai.evaluation.name", Value: scoreRubric}, otlpgen.Attribute{Key: "gen_ai.evaluation.score.label", Value: canary("text-label-log") + " and\nmore"})},
		{Name: "gen_ai.client.inference.operation.details", Body: []otlpgen.Attribute{{Key: "messages", Value: canary("text-body-map")}}, Attributes: texts()},
		{Name: canary("text-log-name"), Body: []any{canary("text-body-list")}},
	} {
		l.Time = uint64(at.UnixNano())
		add("logs", otlpgen.AppendLogs(nil, resource, l))
	}
	add("logs", []byte(canary("raw-logs")))

	const sound = `"time":"2026-11-20T14:00:05Z","prompt":"refund_handler","version":"v17","tier":"free","locale":"en"`
	native := []string{
		`{"type":"span",` + sound + `,"latency":1,"completion":"` + canary("text-native") + `","x":{"` + canary("text-native-key") + `":["` + canary("text-native-nested") + `"]}}`,
		`{"type":"span",` + sound + `,"latency":"` + canary("raw-latency") + `"}`, `{"type":"span",` + sound + `,"cost":1,"prompt":"` + canary("text-twice") + `\nis text"}`,
		`{"type":"` + canary("raw-type") + `",` + sound + `}`, `{"type":"span","time":"` + canary("raw-when") + `"}`, `{"type":"span",` + sound + `,"trace_id":"` + canary("raw-id") + `"}`,
		`{"type":"score",` + sound + `,"rubric":"citation_grounding","label":"` + canary("text-verdict") + ` it is\nwrong"}`,
		`{"type":"score",` + sound + `,"rubric":"citation_grounding","value":7,"explanation":"` + canary("text-range") + `"}`,
		`{"type":"score",` + sound + `,"rubric":"` + canary("text-rubric-native") + `\nis text","value":0.5}`,
		`{"type":"score","time":"2026-11-20T14:00:05Z","rubric":"citation_grounding","value":0.5,"trace_id":"000000000000000000000000000000ff","comment":"` + canary("text-unlinked") + `"}`,
		`{"type":"span",` + sound + `,"text":"` + canary("raw-cut"), canary("raw-native"), `["` + canary("raw-array") + `"]`, `{"type":"span",` + sound + `,"scores":{"` + canary("text-scores") + `\nx":0.5}}`,
	}
	for _, n := range native {
		add("native", []byte(n))
		add("cloud", []byte(`{"specversion":"1.0","id":"`+canary("cloud-id")+`","source":"`+canary("cloud-source")+`","type":"t","subject":"`+canary("cloud-subject")+`","data":`+n+`}`))
	}
	add("cloud", []byte(native[0]), kafkalog.Header{Key: "ce_specversion", Value: []byte("1.0")}, kafkalog.Header{Key: "ce_id", Value: []byte("1")},
		kafkalog.Header{Key: "ce_source", Value: []byte("/s")}, kafkalog.Header{Key: "ce_type", Value: []byte("t")})
	return out
}

// vendors are real records of two vendors with canaries in place of every text; and the same broken.
func vendors(t *testing.T) map[string][]kafkalog.Message {
	out := map[string][]kafkalog.Message{}
	for topic, what := range map[string]string{"posthog": "text removed", "helicone": "text removed"} {
		files, err := filepath.Glob("../../consumer/" + topic + "/testdata/*.json")
		if err != nil || len(files) == 0 {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.NewReplacer(what, canary("text-"+topic), "authorization removed", canary("text-authorization"), "user_4711", canary("text-user"), "203.0.113.9", canary("text-ip")).Replace(string(data))
			out[topic] = append(out[topic], kafkalog.Message{Value: []byte(text)}, kafkalog.Message{Value: []byte(text[:len(text)*2/3])})
		}
		out[topic] = append(out[topic], kafkalog.Message{Value: []byte(canary("raw-" + topic))})
	}
	return out
}

// TestCanaries plants a canary in every secret of the config, in every text of events, in every answer of those who are told and in requests, lets
// everything fail that can, and looks at all that leaves driftd: each may be where it was put, and nowhere else.
func TestCanaries(t *testing.T) {
	broker := testkit.Embedded(t, embedded.Options{Users: []embedded.User{{Mechanism: "SCRAM-SHA-256", Name: "driftd", Password: canary("kafka-password")}}})
	w, s := newStoryWorld(t, broker.Addrs())
	out := newSink(t)
	cfg, set := canaryConfig(w, out)
	cfg.Registry.Poll = 100 * time.Millisecond
	var err error
	if w.client, err = dial(&cfg.Kafka, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	defer w.client.Close()
	var specs []kafkalog.TopicSpec
	for _, src := range cfg.Sources {
		specs = append(specs, kafkalog.TopicSpec{Name: src.Topic, Partitions: 1, ReplicationFactor: 1})
	}
	if err := w.client.EnsureTopics(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	d := w.startWith(func(o *daemonOptions) {
		o.Config, o.Rules, o.SlackAPI = cfg, set, out.URL+"/slack/"
		o.Reload = nil
		o.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	var msgs []kafkalog.Message
	for topic, all := range birds() {
		for _, m := range all {
			m.Topic = w.prefix + topic
			msgs = append(msgs, m)
		}
	}
	for topic, all := range vendors(t) {
		for _, m := range all {
			m.Topic = w.prefix + topic
			msgs = append(msgs, m)
		}
	}
	planted := len(msgs)
	w.publish(msgs)
	// Then the story of another test, so that there are alerts, with a rollback.
	for _, m := range s.msgs {
		m.Partition = 0
		m.Topic = w.prefix + map[string]string{spansSource: "proto", nativeEvent: "native"}[strings.TrimPrefix(m.Topic, w.prefix)]
		w.publish([]kafkalog.Message{m})
	}
	w.until("all records are read", func() bool { return d.counter("driftd_consumer_records_total") >= float64(planted+len(s.msgs)) })
	w.now.Add(int64(5 * time.Minute)) // the topics of the canaries are idle, and are not waited for
	w.untilStep(badRule, "firing")
	for _, peer := range []string{"slack", "slack-hook", "hook", "opsgenie", "oncall", "am", "am2", "pd", "registry"} {
		w.until(peer+" was told", func() bool { return out.tries(peer) > 0 })
	}

	look := &lookout{t: t}
	asks(t, w, d, look)
	w.file("http-token", "\n") // cannot be read
	if err := d.reload(); err == nil {
		t.Error("reloaded")
	} else {
		look.clean("error of a reload", err.Error())
	}
	look.clean("ready, in trouble", fmt.Sprint(d.daemon.ready()))

	birdCommands(t, w, d, look)
	stack := make([]byte, 8<<20)
	look.clean("goroutines", string(stack[:runtime.Stack(stack, true)]))
	d.stop()

	raw := 0
	for _, topic := range []string{"samples", "state", "alerts", "dead", "redrive"} {
		w.read(topic, func(r *kafkalog.Record) {
			for _, h := range r.Headers {
				look.clean(fmt.Sprintf("%s@%d, header %s", topic, r.Offset, h.Key), string(h.Value))
			}
			look.clean(fmt.Sprintf("%s@%d, key", topic, r.Offset), string(r.Key))
			if topic == "dead" && !indexed(r) {
				raw++ // of a record that cannot be read: it is kept as it came, as the README says
				return
			}
			look.clean(fmt.Sprintf("%s@%d", topic, r.Offset), string(r.Value))
		})
	}
	if raw == 0 {
		t.Error("no record was kept as it came: were any refused?")
	}
	for peer, heard := range out.heard {
		var own []string
		for place, to := range secrets {
			if to == peer {
				own = append(own, place)
			}
		}
		if peer == "slack" {
			own = []string{"slack-token", "slack-app"}
		}
		look.clean("what "+peer+" is told", strings.Join(heard, "\n"), append(own, "none")...)
	}
	look.clean("the log", w.log.String())
	if look.seen < 100_000 {
		t.Errorf("only %d bytes were looked at", look.seen)
	}
}

// indexed tells a dead letter of an event from one of a record.
func indexed(r *kafkalog.Record) bool {
	for _, h := range r.Headers {
		if h.Key == "driftd-index" {
			return true
		}
	}
	return false
}

// asks asks for everything over HTTP, with secrets in all the wrong places.
func asks(t *testing.T, w *world, d *instance, look *lookout) {
	for _, path := range []string{"/metrics", "/-/healthy", "/-/ready", "/-/rules", "/api/v1/status", "/api/v1/rules", "/api/v1/alerts", "/api/v1/silences", "/api/v1/rollbacks", "/api/v1/audit", "/api/v1/openapi.json", "/debug/pprof/goroutine?debug=2", "/debug/vars"} {
		for _, token := range []string{"http-token", "http-old", "http-reader", "", "wrong-token"} {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+d.web.Addr()+path, nil)
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+canary(token))
			}
			req.Header.Set("Cookie", "a="+canary("cookie"))
			req.Header.Set("X-Forwarded-For", canary("forwarded"))
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			look.clean(path+" with "+token, fmt.Sprint(resp.Header)+string(body))
			if (token == "http-token" || token == "http-reader") && resp.StatusCode == http.StatusUnauthorized {
				t.Errorf("%s with %s: %d", path, token, resp.StatusCode)
			}
		}
	}
	for _, path := range []string{"/slack/interactions", "/hooks/registry", "/api/v1/silences", "/api/v1/rollbacks/stop", "/-/reload", "/api/v1/alerts/" + canary("path") + "/acknowledge?x=" + canary("query")} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+d.web.Addr()+path, strings.NewReader(`{"text":"`+canary("request")+`"}`))
		req.Header.Set("Webhook-Signature", "v1,"+canary("signature"))
		req.Header.Set("X-Slack-Signature", "v0="+canary("signature"))
		req.Header.Set("Authorization", "Bearer "+canary("wrong-token"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		look.clean("POST "+path, string(body))
	}
}

// birdCommands runs those of people, and those that look at records.
func birdCommands(t *testing.T, w *world, d *instance, look *lookout) {
	t.Setenv("DRIFTD_URL", "http://"+d.web.Addr())
	t.Setenv("USER", "jane")
	run := func(name string, f func(context.Context, []string, io.Writer, io.Writer) int, args ...string) {
		said := &logBuffer{}
		f(t.Context(), args, said, said)
		var allowed []string
		if name == "explain-event" { // what spans and attributes are called, of a record that is here
			allowed = []string{"text-span-name", "text-attribute-key", "text-native-key"}
		}
		look.clean("driftd "+name+" "+strings.Join(args, " "), said.String(), allowed...)
	}
	for _, token := range []string{canary("http-token"), canary("wrong-token")} {
		t.Setenv("DRIFTD_TOKEN", token)
		run("alerts", runAlerts)
		run("alerts", runAlerts, "--json")
		run("silence", runSilence, "prompt=nobody", "--for", "1h", "--comment", "a test")
		run("rollback", runRollback, "--list")
		run("ack", runAck, "ffffffff")
	}
	for place := range secrets {
		t.Setenv(secretVar(place), canary(place))
	}
	for _, place := range []string{"slack-hook-url", "hook-url", "oncall-url"} {
		t.Setenv(secretVar(place), "https://"+canary(place)+".example/"+canary(place))
	}
	run("check", runCheck, "--config", filepath.Join(w.dir, "canary.yaml"))
	run("redrive", runRedrive, "--config", filepath.Join(w.dir, "canary.yaml"))
	n := 0
	for topic, all := range birds() {
		for _, m := range all {
			if n++; testing.Short() && n%8 != 0 {
				continue
			}
			run("explain-event", runExplain, "--config", filepath.Join(w.dir, "canary.yaml"), "--topic", w.prefix+topic, "--file", w.file(fmt.Sprintf("record-%d", n), string(m.Value)))
		}
	}
}
