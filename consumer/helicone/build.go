package helicone

import (
	"bytes"
	"encoding/hex"
	"math"
	"time"
	"unsafe"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// noReference is the cacheReferenceId of a request that the cache did not answer.
const noReference = "00000000-0000-0000-0000-000000000000"

// call makes the event of a log; false says that there is none.
func (d *decoder) call() bool {
	if len(d.label(experimentColumn)) > 0 || len(d.own[ownExperiment]) > 0 {
		return false
	}
	e := &d.event
	d.attrs.Fill(e, &d.props, &d.other, 0)
	cached := d.label(cacheReference)
	e.Call = len(cached) == 0 || string(cached) == noReference
	d.prompt()
	d.axes()
	d.name(d.label(id))
	d.time()
	if !e.Call {
		e.Has = 0
		return true
	}
	if v, ok := d.number(delay, "delayMs"); ok {
		e.Set(windows.BuiltinLatency, v/1000)
	}
	if v, ok := d.number(ttft, "timeToFirstToken"); ok {
		e.Set(windows.BuiltinTTFT, v/1000)
	}
	if v, ok := d.number(cost, "cost"); ok {
		e.Set(windows.BuiltinCost, v)
	}
	if v, ok := d.number(status, "status"); ok {
		e.Set(windows.BuiltinError, 0)
		if v >= 400 {
			e.Set(windows.BuiltinError, 1)
		}
	}
	return true
}

// prompt sets prompt and version, where the table has found none. A version belongs to its own prompt.
func (d *decoder) prompt() {
	e := &d.event
	prompt, version := d.label(metaPrompt), d.label(metaVersion)
	if len(prompt) == 0 {
		prompt, version = first(d.label(legacyPrompt), d.own[ownPrompt]), first(d.label(legacyVersion), d.own[ownVersion])
	}
	if len(e.Prompt) == 0 {
		e.Prompt = prompt
	}
	fallback := e.Has.Has(windows.BuiltinFallback) && e.Values[windows.BuiltinFallback] != 0
	if len(e.Version) == 0 && len(prompt) > 0 && bytes.Equal(e.Prompt, prompt) && !fallback {
		e.Version = version
	}
}

// axes sets model and environment, where the table has found none.
func (d *decoder) axes() {
	e := &d.event
	e.Model = first(e.Model, d.label(gatewayModel), d.label(modelOverride), d.label(responseModel), d.label(requestModel), d.label(providerModel))
	e.Environment = first(e.Environment, d.label(metaEnvironment))
	if d.model >= 0 {
		e.Dimensions[d.model] = first(e.Dimensions[d.model], e.Model)
	}
	if d.environment >= 0 {
		e.Dimensions[d.environment] = first(e.Dimensions[d.environment], e.Environment)
	}
}

// first is the first text that is not empty.
func first(texts ...[]byte) []byte {
	for _, t := range texts {
		if len(t) > 0 {
			return t
		}
	}
	return nil
}

// score makes the event of a message of scores, whose list has been read; false says that there are none.
func (d *decoder) score() bool {
	e := &d.event
	e.Kind = consumer.Score
	if d.there(feedback) {
		v := consumer.ScoreValue{Rubric: []byte("helicone-score-feedback")}
		v.Value, v.HasValue = d.number(feedback, "feedback")
		e.AddScore(v)
	}
	d.name(d.label(requestID))
	e.Time = d.at(createdAt, "createdAt")
	return len(e.Scores) > 0
}

// name sets what a request is known by. Its id is a UUID: it stands for the trace with its bytes, and for the span with its first
// eight bytes xor its last eight. Scores and logs of a request so share all three.
func (d *decoder) name(request []byte) {
	e := &d.event
	e.Response = request
	if len(request) != 36 || request[8] != '-' || request[13] != '-' || request[18] != '-' || request[23] != '-' {
		return
	}
	var trace [16]byte
	n := 0
	for _, part := range [...][]byte{request[:8], request[9:13], request[14:18], request[19:23], request[24:]} {
		k, err := hex.Decode(trace[n:], part)
		if err != nil {
			return
		}
		n += k
	}
	e.Trace = trace
	for i := range e.Span {
		e.Span[i] = trace[i] ^ trace[i+8]
	}
}

// time sets when the response was there.
func (d *decoder) time() {
	e := &d.event
	if d.there(responseCreatedAt) {
		e.Time = d.at(responseCreatedAt, "responseCreatedAt")
		return
	}
	e.Time = d.at(requestCreatedAt, "requestCreatedAt")
	if v, ok := d.number(delay, "delayMs"); ok && e.Time != 0 && v >= 0 && v < 1e9 {
		e.Time += int64(v * 1e6)
	}
}

// at is a time, Unix ns. What is none refuses the event. Times that int64 nanoseconds cannot hold come out at their limits.
func (d *decoder) at(f field, name string) int64 {
	if !d.there(f) {
		return 0
	}
	v := &d.values[f]
	t, err := time.Time{}, error(nil)
	if v.Type == consumer.Text {
		t, err = time.Parse(time.RFC3339Nano, unsafe.String(unsafe.SliceData(v.Text), len(v.Text)))
	}
	if v.Type != consumer.Text || err != nil {
		d.event.Refuse(consumer.BadTime, name+" is not as in RFC 3339")
		return 0
	}
	switch y := t.Year(); {
	case y < 1700:
		return math.MinInt64
	case y > 2200:
		return math.MaxInt64
	}
	return t.UnixNano()
}
