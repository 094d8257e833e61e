package otlp

import (
	"encoding/binary"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/jsonscan"
)

// jsonDecoder reads JSON as OTLP has it: ids in hex, keys in camelCase alone, 64-bit integers as texts or numbers. Unknown keys are
// skipped. A known key with a value of another type, or there twice, refuses the record; null is as good as absent.
type jsonDecoder struct {
	telemetry
	json   jsonscan.Scanner
	quoted jsonscan.Scanner // of numbers that stand in texts
}

// NewJSON returns a decoder of otlp_json.
func NewJSON(attrs *consumer.Attributes) consumer.Decoder {
	return &jsonDecoder{telemetry: newTelemetry(attrs)}
}

var requestKeys = []string{"resourceSpans", "resourceLogs", "resourceMetrics", "resourceProfiles", "resource_spans", "resource_logs"}

// Decode implements consumer.Decoder. It yields what New's decoder yields of the same telemetry.
func (d *jsonDecoder) Decode(record []byte, yield func(*consumer.Event)) error {
	if len(record) == 0 {
		return nil
	}
	d.yield = yield
	d.json.Reset(record)
	if d.json.Peek() != '{' {
		return consumer.Refused(consumer.Encoding, "the record is no JSON object, its topic is set to otlp_json")
	}
	err := d.request()
	if err != nil && isProtobuf(record) {
		return consumer.Refused(consumer.Encoding, "the record is protobuf, its topic is set to otlp_json")
	}
	return err
}

// isProtobuf tells a request that looks like JSON at first, since its first bytes may be a line feed and a brace.
func isProtobuf(record []byte) bool {
	if record[0] != 1<<3|2 {
		return false
	}
	n, width := binary.Uvarint(record[1:])
	return width > 0 && n <= uint64(len(record)-1-width) && signalOf(record, 0) != undecided
}

func (d *jsonDecoder) request() error {
	var o object
	for {
		k, err := d.next(&o, "the record", requestKeys)
		if err != nil {
			return err
		}
		switch k {
		case 0:
			err = d.resources(&tracesInJSON)
		case 1:
			err = d.resources(&logsInJSON)
		case 2:
			return refuseSignal(metrics)
		case 3:
			return refuseSignal(profiles)
		case 4, 5:
			return consumer.Refused(consumer.Encoding, "the record's keys are in snake_case, OTLP JSON has them in camelCase")
		default:
			return d.end(&o)
		}
		if err != nil {
			return err
		}
	}
}

// end checks that the record is a request and nothing else.
func (d *jsonDecoder) end(o *object) error {
	if !d.json.AtEnd() {
		return consumer.Refused(consumer.Malformed, "more than one JSON value in the record")
	}
	if o.seen == 0 && o.unknown {
		return consumer.Refused(consumer.Encoding, "no export request of traces or logs: it has neither resourceSpans nor resourceLogs")
	}
	return nil
}

// shape is what the keys of a signal's requests are.
type shape struct {
	logs      bool
	list      string   // of resources
	resources []string // keys of one
	scopes    []string // keys of a scope
}

var (
	tracesInJSON = shape{false, "resourceSpans", []string{"resource", "scopeSpans"}, []string{"spans"}}
	logsInJSON   = shape{true, "resourceLogs", []string{"resource", "scopeLogs"}, []string{"logRecords"}}
	resourceKeys = []string{"attributes"}
)

// resources reads the list of ResourceSpans or ResourceLogs.
func (d *jsonDecoder) resources(of *shape) error {
	var l list
	for {
		more, err := d.element(&l, of.list)
		if err != nil || !more {
			return err
		}
		if err := d.resourceItems(of); err != nil {
			return err
		}
	}
}

// resourceItems reads a resource and what it has sent. The resource counts wherever it stands.
func (d *jsonDecoder) resourceItems(of *shape) error {
	d.resource.Reset()
	var o object
	known, scopes := false, -1
	for {
		k, err := d.next(&o, "a resource", of.resources)
		switch {
		case err != nil:
		case k == 0:
			known = true
			err = d.resourceAttributes()
		case k == 1 && known:
			err = d.scopes(of)
		case k == 1:
			scopes, err = d.later()
		case scopes >= 0:
			return d.at(scopes, func() error { return d.scopes(of) })
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (d *jsonDecoder) resourceAttributes() error {
	var o object
	for {
		k, err := d.next(&o, "a resource", resourceKeys)
		if err != nil || k < 0 {
			return err
		}
		if err := d.attributes(&d.resource); err != nil {
			return err
		}
	}
}

// scopes reads the list of ScopeSpans or ScopeLogs.
func (d *jsonDecoder) scopes(of *shape) error {
	var l list
	for {
		more, err := d.element(&l, of.resources[1])
		if err != nil || !more {
			return err
		}
		if err := d.scopeItems(of); err != nil {
			return err
		}
	}
}

func (d *jsonDecoder) scopeItems(of *shape) error {
	var o object
	for {
		k, err := d.next(&o, "a scope", of.scopes)
		if err != nil || k < 0 {
			return err
		}
		var l list
		for {
			more, err := d.element(&l, of.scopes[0])
			if err != nil {
				return err
			}
			if !more {
				break
			}
			if of.logs {
				err = d.logRecord()
			} else {
				err = d.span()
			}
			if err != nil {
				return err
			}
		}
	}
}
