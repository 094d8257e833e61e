// Package helicone decodes the two topics that a self-hosted Helicone writes to where it uses Kafka:
// request-response-logs-prod, a message for each call that went through its proxy, and helicone-scores-prod. Newer releases can
// use another queue for both, and one kept the scores off the topic altogether. The messages of both topics have the request's id
// as their key.
//
// A record is {"value": "…"}: the message is JSON in a JSON text. Messages that stand in the record as they are, are read too.
//
// A log is {id, authorization, heliconeMeta, log: {request, response}}. Of heliconeMeta, promptId, promptVersionId and
// promptEnvironment name the prompt; the prompts that Helicone had before stand in request.promptId and promptVersion, or in the
// properties Helicone-Prompt-Id and Helicone-Prompt-Version. response has status (HTTP), delayMs, timeToFirstToken (ms), cost (USD)
// and responseCreatedAt, which is the event's time. Older releases have encryptedPayload in authorization's place, and the model in
// request and response; later ones name it in heliconeMeta when the call went through the gateway, else not at all. Token counts
// do not stand on the topic: Helicone takes them from bodies that it keeps elsewhere. A response out of Helicone's cache, which
// cacheReferenceId tells, is no model call, but scores may be about it. Requests of experiments yield nothing.
//
// A message of scores is {requestId, organizationId, scores, createdAt}; each score has score_attribute_key, _type (number or
// boolean) and _value, a number, for booleans 0 or 1. Some of Helicone's own evaluators end the key of a boolean in -hcone-bool,
// which is cut off. The first releases wrote {requestId, organizationId, feedback, createdAt}, with a boolean: it counts as a score
// on helicone-score-feedback, as it is named since.
//
// The attribute table sees a request's properties, its provider and its countryCode. Properties come from HTTP headers: their names
// are in lower case, or are read as if they were, and so are to be written in own lists. They go before Helicone's own fields.
//
// A log holds the authorization of the one who called, keys of other services and what was put into the prompt. None of
// it is taken out of the record: only the fields named above are read, and errors are made of fixed words. Records must be
// treated as private: whoever wires this decoder keeps none in a dead letter.
package helicone

import (
	"slices"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/jsonscan"
)

type decoder struct {
	attrs        *consumer.Attributes
	json         jsonscan.Scanner
	props, other consumer.Set
	event        consumer.Event
	model        int // which dimension is the model; −1 is none
	environment  int // likewise

	// Of the message at hand.
	seen   uint64 // fields that stood there, null too
	has    uint64 // those with a value
	values [numFields]consumer.Value
	own    [numOwn][]byte // properties that Helicone gives a meaning
}

// New returns a decoder of both topics.
func New(attrs *consumer.Attributes) consumer.Decoder {
	dims := attrs.Dimensions()
	d := &decoder{attrs: attrs, model: slices.Index(dims, "model"), environment: slices.Index(dims, "environment")}
	d.event.Dimensions = make([][]byte, len(dims))
	return d
}

// Decode implements consumer.Decoder. At most one event a record.
func (d *decoder) Decode(record []byte, yield func(*consumer.Event)) error {
	s := &d.json
	s.Reset(record)
	if s.Peek() != '{' {
		return consumer.Refused(consumer.Encoding, "the record is no JSON object, its topic is set to helicone")
	}
	d.reset()
	if err := d.message(); err != nil {
		return err
	}
	if d.there(wrapped) {
		s.Turn(d.values[wrapped].Text)
		d.reset()
		if s.Peek() != '{' {
			return consumer.Refused(consumer.Encoding, "value is no JSON object: no message of Helicone's")
		}
		if err := d.message(); err != nil {
			return err
		}
	}
	ok := false
	switch {
	case d.there(request) || d.there(response):
		ok = d.call()
	case d.there(scores) || d.there(feedback):
		ok = d.score()
	default:
		return consumer.Refused(consumer.Encoding, "the record holds neither a log nor scores of Helicone's")
	}
	if ok {
		yield(&d.event)
	}
	return nil
}

// reset forgets the message before.
func (d *decoder) reset() {
	d.event.Reset()
	d.props.Reset()
	d.other.Reset()
	d.seen, d.has, d.own = 0, 0, [numOwn][]byte{}
}

// message reads a message to the end of its text.
func (d *decoder) message() error {
	if err := d.object(messageFields); err != nil {
		return err
	}
	if !d.json.AtEnd() {
		return consumer.Refused(consumer.Malformed, "more than one JSON value in the record")
	}
	return nil
}
