package explain

import (
	"encoding/hex"
	"encoding/json"

	"github.com/VictoriaMetrics/easyproto"

	"github.com/driftd/driftd/consumer"
)

// item is a span or log record of an export request as its producer wrote it, which decoders do not keep: what it is called, and
// the names of its attributes. Values are looked at for their form alone.
type item struct {
	log       bool
	name      string // of a span; of a log record what it says that it is
	span      string // id in hex
	own       []attribute
	resource  []attribute
	evaluated []attribute // of span events that are evaluations
}

// attribute is an attribute or key by its name.
type attribute struct {
	key   string
	label bool // its value could be a name: a short text, or a number
}

// export is OTLP JSON, as far as it is looked at here.
type export struct {
	ResourceSpans []resourceItems `json:"resourceSpans"`
	ResourceLogs  []resourceItems `json:"resourceLogs"`
}

type resourceItems struct {
	Resource struct {
		Attributes []keyValue `json:"attributes"`
	} `json:"resource"`
	ScopeSpans []struct {
		Spans []rawItem `json:"spans"`
	} `json:"scopeSpans"`
	ScopeLogs []struct {
		LogRecords []rawItem `json:"logRecords"`
	} `json:"scopeLogs"`
}

type rawItem struct {
	Name       string     `json:"name"`
	EventName  string     `json:"eventName"`
	SpanID     string     `json:"spanId"`
	Attributes []keyValue `json:"attributes"`
	Events     []struct {
		Name       string     `json:"name"`
		Attributes []keyValue `json:"attributes"`
	} `json:"events"`
}

type keyValue struct {
	Key   string `json:"key"`
	Value struct {
		String *string     `json:"stringValue"`
		Int    json.Number `json:"intValue"`
	} `json:"value"`
}

// jsonItems are the items of a request in JSON, in their order; nil when it cannot be read.
func jsonItems(record []byte, isScore func([]byte) bool) (items []item) {
	var e export
	if json.Unmarshal(record, &e) != nil {
		return nil
	}
	for _, r := range e.ResourceSpans {
		for _, s := range r.ScopeSpans {
			for i := range s.Spans {
				items = append(items, s.Spans[i].item(attributes(r.Resource.Attributes), false, isScore))
			}
		}
	}
	for _, r := range e.ResourceLogs {
		for _, s := range r.ScopeLogs {
			for i := range s.LogRecords {
				items = append(items, s.LogRecords[i].item(attributes(r.Resource.Attributes), true, isScore))
			}
		}
	}
	return items
}

func attributes(list []keyValue) (out []attribute) {
	for _, kv := range list {
		out = append(out, attribute{kv.Key, kv.Value.Int != "" || kv.Value.String != nil && isLabel([]byte(*kv.Value.String))})
	}
	return out
}

func isLabel(text []byte) bool { return len(text) > 0 && consumer.Label(text) }

func (r *rawItem) item(resource []attribute, log bool, isScore func([]byte) bool) item {
	it := item{log: log, name: r.Name, span: r.SpanID, own: attributes(r.Attributes), resource: resource}
	if log {
		it.name = r.EventName
		for _, kv := range r.Attributes {
			if it.name == "" && kv.Key == eventName && kv.Value.String != nil {
				it.name = *kv.Value.String
			}
		}
	}
	for _, e := range r.Events {
		if isScore([]byte(e.Name)) {
			it.evaluated = append(it.evaluated, attributes(e.Attributes)...)
		}
	}
	return it
}

// eventName is the attribute by which log records say what they are.
const eventName = "event.name"

// protoItems are the items of a request in protobuf. logs tells which signal it is of.
func protoItems(record []byte, logs bool, isScore func([]byte) bool) (items []item) {
	messages(record, 1, func(r []byte) {
		var resource []attribute
		messages(r, 1, func(b []byte) { resource = append(resource, protoAttributes(b, 1)...) })
		messages(r, 2, func(scope []byte) {
			messages(scope, 2, func(b []byte) { items = append(items, protoItem(b, resource, logs, isScore)) })
		})
	})
	return items
}

func protoItem(b []byte, resource []attribute, log bool, isScore func([]byte) bool) item {
	it := item{log: log, resource: resource}
	name, id, attrs := uint32(5), uint32(2), uint32(9)
	if log {
		name, id, attrs = 12, 10, 6
	}
	messages(b, id, func(v []byte) { it.span = hex.EncodeToString(v) })
	messages(b, name, func(v []byte) { it.name = string(v) })
	it.own = protoAttributes(b, attrs)
	if log {
		messages(b, attrs, func(kv []byte) {
			if key, text := protoKeyValue(kv); it.name == "" && key == eventName {
				it.name = string(text)
			}
		})
		return it
	}
	messages(b, 11, func(e []byte) {
		score := false
		messages(e, 2, func(v []byte) { score = isScore(v) })
		if score {
			it.evaluated = append(it.evaluated, protoAttributes(e, 3)...)
		}
	})
	return it
}

func protoAttributes(b []byte, field uint32) (out []attribute) {
	messages(b, field, func(kv []byte) {
		key, text := protoKeyValue(kv)
		number := false
		messages(kv, 2, func(v []byte) { number = fieldOf(v, 3) })
		out = append(out, attribute{key, number || isLabel(text)})
	})
	return out
}

func protoKeyValue(kv []byte) (key string, text []byte) {
	messages(kv, 1, func(k []byte) { key = string(k) })
	messages(kv, 2, func(v []byte) { messages(v, 1, func(s []byte) { text = s }) })
	return key, text
}

// messages calls do with each field of this number that has bytes. What is damaged ends it: decoders have refused it by then.
func messages(b []byte, number uint32, do func([]byte)) {
	var f easyproto.FieldContext
	for len(b) > 0 {
		var err error
		if b, err = f.NextField(b); err != nil {
			return
		}
		if v, ok := f.Bytes(); ok && f.FieldNum == number {
			do(v)
		}
	}
}

// fieldOf tells whether a message has a field.
func fieldOf(b []byte, number uint32) bool {
	var f easyproto.FieldContext
	for len(b) > 0 {
		var err error
		if b, err = f.NextField(b); err != nil {
			return false
		}
		if f.FieldNum == number {
			return true
		}
	}
	return false
}
