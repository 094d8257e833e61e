package posthog

import (
	"bytes"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// figures are the built-in values and where they stand.
var figures = [...]struct {
	from property
	to   windows.Builtin
}{
	{latency, windows.BuiltinLatency}, {ttft, windows.BuiltinTTFT}, {inputTokens, windows.BuiltinInputTokens},
	{outputTokens, windows.BuiltinOutputTokens}, {cost, windows.BuiltinCost},
}

// build makes the row's event; false says that there is none.
func (d *decoder) build() bool {
	if _, offline := d.found.get(experiment); offline {
		return false
	}
	e := &d.event
	e.Reset()
	if d.kind == evaluation || d.kind == metric {
		e.Kind = consumer.Score
	}
	d.attrs.Fill(e, &d.props, &d.row, 0)
	e.Call, e.Response = d.kind == call, nil
	d.time()
	d.labels()
	e.Trace = traceID(d.id(traceText))
	if e.Kind == consumer.Score {
		return d.score()
	}
	d.place()
	if e.Call {
		d.call()
	} else {
		e.Has = 0
	}
	return true
}

// time sets when the row's span ended, or its score was given.
func (d *decoder) time() {
	e := &d.event
	var ok bool
	if e.Time, ok = d.day.parse(d.timestamp); !ok && len(d.timestamp) > 0 {
		e.Refuse(consumer.BadTime, "timestamp is not as PostHog writes it")
	}
	if ok && d.is(source, "otel") {
		if v, ok := d.number(latency); ok && v > 0 && v < 1e6 {
			e.Time += int64(v * 1e9)
		}
	}
}

// labels sets prompt and version, where the table has found none. A version belongs to its own prompt.
func (d *decoder) labels() {
	e := &d.event
	prompt, version := d.name(promptName), d.name(promptVersion)
	if len(e.Prompt) == 0 {
		e.Prompt = prompt
	}
	if len(e.Version) == 0 && (len(prompt) == 0 || bytes.Equal(e.Prompt, prompt)) {
		e.Version = version
	}
	if v, ok := d.found.get(promptSource); ok && v.Type == consumer.Text && len(v.Text) > 0 {
		e.Set(windows.BuiltinFallback, 0)
		if string(v.Text) == "code_fallback" {
			e.Set(windows.BuiltinFallback, 1)
		}
	}
	if e.Has.Has(windows.BuiltinFallback) && e.Values[windows.BuiltinFallback] != 0 {
		e.Version = nil
	}
}

// id is the text of an id.
func (d *decoder) id(p property) []byte {
	v, ok := d.found.get(p)
	if !ok {
		return nil
	}
	if v.Type != consumer.Text && v.Type != consumer.Int {
		d.event.Refuse(consumer.BadID, names[p]+" is no text")
		return nil
	}
	return v.Text
}

// place sets where the span stands in its trace. Rows without a span id have their own uuid, but for a trace, which its children
// name by the id of the trace.
func (d *decoder) place() {
	e := &d.event
	own := d.id(spanText)
	if len(own) == 0 && d.kind == trace {
		own = d.id(traceText)
	}
	if len(own) == 0 {
		own = d.uuid
	}
	e.Span, e.Parent = spanID(own), spanID(d.id(parentText))
	if e.Parent == e.Span {
		e.Parent = [8]byte{}
	}
	e.Response = d.uuid
}

// call sets what only a model call has.
func (d *decoder) call() {
	e := &d.event
	if len(e.Model) == 0 {
		e.Model = d.name(model)
	}
	if d.model >= 0 && len(e.Dimensions[d.model]) == 0 {
		e.Dimensions[d.model] = e.Model
	}
	for _, f := range figures {
		if v, ok := d.number(f.from); ok {
			e.Set(f.to, v)
		}
	}
	failed, known := d.says(isError)
	if status, ok := d.found.get(httpStatus); !known && ok {
		failed, known = number(status) >= 400, true
	}
	if known {
		e.Set(windows.BuiltinError, 0)
		if failed {
			e.Set(windows.BuiltinError, 1)
		}
	}
}
