// Package cloudevents takes the payload out of a record that carries a CloudEvent of specification 1.x by its Kafka protocol
// binding, in binary or structured content mode. It looks at nothing but what says where the payload is; what the payload means
// is the matter of the decoder behind it.
package cloudevents

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"unsafe"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/jsonscan"
)

// The names of the headers that decide the content mode. Names are compared without regard to case: Kafka keeps what producers
// write, and not all write them as the binding does.
const (
	headerVersion     = "ce_specversion"
	headerContentType = "content-type"
)

// Content types of the two modes that hold the event in the value.
const (
	typeEvent = "application/cloudevents"
	typeBatch = "application/cloudevents-batch"
)

// Unwrap returns the payload of the event in rec:
//
//   - in binary mode (header ce_specversion) the value as it is, without allocating;
//   - in structured mode (content type application/cloudevents+json, or no header of the binding and a JSON object with
//     specversion) the text of data, which is JSON, as it stands in the value, and without its quotes when it is a string whose
//     datacontenttype is not JSON; or the bytes of data_base64.
//
// A tombstone comes back as it is. The payload is a part of the record, or memory of its own: it is valid as long as the record
// is. Errors are of type *consumer.RecordError and hold nothing of the record's text. Unwrap keeps no state and may be called
// by several goroutines.
func Unwrap(rec *consumer.Record) ([]byte, error) {
	if len(rec.Value) == 0 {
		return rec.Value, nil
	}
	var contentType, version []byte
	for i := range rec.Headers {
		switch h := &rec.Headers[i]; {
		case named(h, headerContentType):
			contentType = h.Value
		case named(h, headerVersion):
			version = h.Value
		}
	}
	media := mediaType(contentType)
	switch {
	case hasPrefixFold(media, typeBatch):
		return nil, batched()
	case hasPrefixFold(media, typeEvent):
		if format := media[len(typeEvent):]; len(format) > 0 && !hasPrefixFold(format, "+json") {
			return nil, consumer.Refused(consumer.Encoding, "a CloudEvent in another format than JSON, only application/cloudevents+json can be read")
		}
		return structured(rec.Value)
	case version != nil:
		return rec.Value, checkVersion(version)
	}
	switch b := bytes.TrimLeft(rec.Value, " \t\r\n"); {
	case len(b) > 0 && b[0] == '{':
		return structured(rec.Value)
	case len(b) > 0 && b[0] == '[':
		return nil, batched()
	}
	return nil, consumer.Refused(consumer.Encoding, "no CloudEvent: the record has no header ce_specversion and is no JSON object, its topic is set to cloudevents")
}

func named(h *consumer.Header, name string) bool {
	return len(h.Key) == len(name) && strings.EqualFold(h.Key, name)
}

func batched() error {
	return consumer.Refused(consumer.Encoding, "a batch of CloudEvents: the Kafka binding knows one event a record, set the producer to binary or structured mode")
}

func checkVersion(v []byte) error {
	if !bytes.HasPrefix(v, []byte("1.")) {
		return consumer.Refused(consumer.Encoding, "a CloudEvent of another specification than 1.x")
	}
	return nil
}

// structured finds the payload of an event in JSON format.
func structured(value []byte) ([]byte, error) {
	var s jsonscan.Scanner
	s.Reset(value)
	if !s.Take('{') {
		return nil, consumer.Refused(consumer.Encoding, "no CloudEvent: the record is no JSON object")
	}
	var e envelope
	if !s.Take('}') {
		if err := e.read(&s); err != nil {
			return nil, err
		}
	}
	if !s.AtEnd() {
		return nil, consumer.Refused(consumer.Malformed, "more than one JSON value in the record")
	}
	version, ok := text(e[keyVersion])
	if !ok {
		return nil, consumer.Refused(consumer.Encoding, "no CloudEvent: the record has neither a header ce_specversion nor a key specversion")
	}
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	return e.payload()
}

// The known keys of the JSON format.
const (
	keyVersion = iota
	keyType
	keyData
	keyBase64
	numKeys
)

var keys = [numKeys]string{"specversion", "datacontenttype", "data", "data_base64"}

// envelope is the JSON texts of the known keys' values. What is null or not there is nil.
type envelope [numKeys][]byte

// read takes the members of an event, behind the brace that opens it, up to the one that closes it.
func (e *envelope) read(s *jsonscan.Scanner) error {
	var seen [numKeys]bool
	for {
		key, ok := s.Text()
		if !ok || !s.Take(':') {
			return malformed(s)
		}
		first := s.Peek()
		at := s.Pos()
		if !s.Skip() {
			return malformed(s)
		}
		if k := slices.Index(keys[:], string(key)); k >= 0 {
			if seen[k] {
				return consumer.Refused(consumer.DuplicateKey, "%s stands twice", keys[k])
			}
			seen[k] = true
			if first != 'n' {
				e[k] = s.Since(at)
			}
		}
		if s.Take('}') {
			return nil
		}
		if !s.Take(',') {
			return malformed(s)
		}
	}
}

// payload is what the event's data says.
func (e *envelope) payload() ([]byte, error) {
	data, encoded := e[keyData], e[keyBase64]
	switch {
	case data != nil && encoded != nil:
		return nil, consumer.Refused(consumer.Malformed, "a CloudEvent with both data and data_base64")
	case encoded != nil:
		b, ok := text(encoded)
		if !ok {
			return nil, consumer.Refused(consumer.WrongType, "data_base64 is no text")
		}
		decoded := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
		n, err := base64.StdEncoding.Decode(decoded, b)
		if err != nil {
			return nil, consumer.Refused(consumer.Malformed, "data_base64 is not base64")
		}
		return decoded[:n], nil
	case data == nil:
		return nil, consumer.Refused(consumer.Encoding, "a CloudEvent without data")
	case data[0] == '"' && !e.holdsJSON():
		b, _ := text(data)
		return b, nil
	}
	return data, nil
}

// holdsJSON tells whether data is a JSON value, which it is too where nothing is said of it, or another text in a JSON string.
func (e *envelope) holdsJSON() bool {
	b, ok := text(e[keyType])
	if !ok {
		return true
	}
	b = mediaType(b)
	return hasSuffixFold(b, "/json") || hasSuffixFold(b, "+json")
}

// text is what a JSON string says; ok is false for all else.
func text(raw []byte) (b []byte, ok bool) {
	var s jsonscan.Scanner
	s.Reset(raw)
	return s.Text()
}

// mediaType is a content type without its parameters.
func mediaType(b []byte) []byte {
	if i := bytes.IndexByte(b, ';'); i >= 0 {
		b = b[:i]
	}
	return bytes.TrimSpace(b)
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(unsafe.String(unsafe.SliceData(b), len(prefix)), prefix)
}

func hasSuffixFold(b []byte, suffix string) bool {
	return len(b) >= len(suffix) && hasPrefixFold(b[len(b)-len(suffix):], suffix)
}

func malformed(s *jsonscan.Scanner) error {
	if s.Deep() {
		return consumer.Refused(consumer.TooDeep, "nested deeper than %d levels", jsonscan.MaxDepth)
	}
	return consumer.Refused(consumer.Malformed, "no well-formed JSON at byte %d", s.Pos())
}
