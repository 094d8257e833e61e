package explain

import (
	"bytes"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/cloudevents"
)

// Options are what a record is explained by.
type Options struct {
	// Config has Encodings, Now and Linking, and of a config what it says of events.
	Config consumer.Config
	// Topic says how its records are read. Without an Encoding it is guessed, and so is the envelope.
	Topic consumer.SourceTopic
	// Dead is the topic of dead letters.
	Dead string
}

// Explain says what would become of a record, given as Record takes it. It fails only for options that fit no record.
func Explain(o Options, given []byte) (*Report, error) {
	record, form := Record(given)
	r := &Report{Form: form, Source: o.Topic.Topic, Envelope: "none", Events: []Event{}, Hints: []string{}}
	payload, fault := o.open(r, record)
	r.Encoding = o.Topic.Encoding
	o.Topic.Unwrap = nil
	p, err := consumer.NewProbe(o.Config, o.Topic)
	if err != nil {
		return nil, err
	}
	var found consumer.Probed
	if fault.Reason == consumer.Fine {
		found, payload = probe(p, payload, r)
		fault = found.Fault
	}
	if fault.Reason != consumer.Fine {
		r.Reason, r.Detail = fault.Reason.String(), fault.Detail
		r.Hints = append(r.Hints, o.instead(r, payload)...)
		r.sum(o.Dead)
		return r, nil
	}
	next := func(e *consumer.ProbedEvent) *passage { return objectPassage(p, r.Encoding, payload, e) }
	if isJSON := r.Encoding == "otlp_json"; isJSON || r.Encoding == "otlp_proto" {
		var reader *otlpReader
		reader, r.Skipped = newOTLPReader(p, payload, isJSON, found.Events)
		next = reader.passage
	}
	auto := o.wholeTable()
	for i := range found.Events {
		e := &found.Events[i]
		way := next(e)
		out := way.event(e, p.Dimensions())
		out.Says = says(e, &out, p.Dimensions(), o.Dead)
		h := hinter{passage: way, encoding: r.Encoding, dims: p.Dimensions(), preset: o.Topic.Preset, dedup: o.Topic.Dedup > 0, auto: auto, all: found.Events, e: e}
		if list := h.hints(); list != nil {
			out.Hints = list
		}
		r.Events = append(r.Events, out)
	}
	r.sum(o.Dead)
	return r, nil
}

// open takes the payload out of a record, by what is set or guessed.
func (o *Options) open(r *Report, record []byte) ([]byte, consumer.Fault) {
	wrapped := o.Topic.Unwrap != nil
	if o.Topic.Encoding == "" {
		r.Guessed = true
		if o.Topic.Encoding, wrapped = Guess(record); wrapped {
			payload, err := cloudevents.Unwrap(&consumer.Record{Value: record})
			o.Topic.Encoding, _ = Guess(payload)
			if o.Topic.Encoding == "" || err != nil {
				o.Topic.Encoding = "driftd_json"
			}
		}
	}
	if !wrapped {
		return record, consumer.Fault{}
	}
	r.Envelope = "cloudevents"
	if _, structured := Guess(record); !structured {
		return record, consumer.Fault{} // in binary mode the value is the payload; what makes it one are headers
	}
	payload, err := cloudevents.Unwrap(&consumer.Record{Value: record})
	if refused, ok := errors.AsType[*consumer.RecordError](err); ok {
		return record, refused.Fault
	}
	return payload, consumer.Fault{}
}

// probe runs a payload. Tools that print records end them with a line feed, which is no part of a record in protobuf.
func probe(p *consumer.Probe, payload []byte, r *Report) (consumer.Probed, []byte) {
	found := p.Record(&consumer.Record{Value: payload})
	if found.Fault.Reason != consumer.Fine && r.Form == Raw && bytes.HasSuffix(payload, []byte("\n")) {
		bare := payload[:len(payload)-1]
		if again := p.Record(&consumer.Record{Value: bare}); again.Fault.Reason == consumer.Fine {
			return again, bare
		}
	}
	return found, payload
}

// instead says as what else a record can be read that was refused.
func (o *Options) instead(r *Report, payload []byte) (hints []string) {
	if bytes.HasPrefix(payload, []byte("{")) && bytes.Contains(payload, []byte("}\n{")) {
		hints = append(hints, "these are several records: give one at a time, such as `kcat -c 1` prints")
	}
	encoding, wrapped := Guess(payload)
	if r.Guessed && encoding == "otlp_proto" && utf8.Valid(payload) && !bytes.ContainsFunc(payload, func(c rune) bool { return c < ' ' && !unicode.IsSpace(c) }) {
		return append(hints, "it is text, but neither JSON nor base64 or hex of a record")
	}
	if wrapped {
		return append(hints, "it is a CloudEvent: set `envelope: cloudevents` for its topic")
	}
	if encoding == r.Encoding {
		return hints
	}
	topic := o.Topic
	topic.Encoding = encoding
	p, err := consumer.NewProbe(o.Config, topic)
	if err != nil {
		return hints
	}
	if found, _ := probe(p, payload, r); found.Fault.Reason == consumer.Fine {
		hints = append(hints, fmt.Sprintf("it can be read as %s: set `encoding: %s` for its topic", encoding, encoding))
	}
	return hints
}

// wholeTable is the table of all names, where less is in use.
func (o *Options) wholeTable() *consumer.Attributes {
	if o.Topic.Preset == "" || o.Topic.Preset == "auto" {
		return nil
	}
	a, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: o.Config.Dimensions, Lists: o.Config.Lists})
	if err != nil {
		return nil
	}
	return a
}
