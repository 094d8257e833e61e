package helicone

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"

	"github.com/driftd/driftd/consumer"
)

// field is one that is read, by number. All others are skipped unread.
type field uint8

const (
	ignored field = iota

	wrapped
	meta
	log
	requestID
	scores
	feedback
	createdAt

	metaPrompt
	metaVersion
	metaEnvironment
	gatewayModel
	modelOverride
	providerModel

	request
	response

	id
	legacyPrompt
	legacyVersion
	requestModel
	properties
	provider
	country
	requestCreatedAt
	cacheReference
	experimentColumn

	status
	ttft
	delay
	cost
	responseModel
	responseCreatedAt

	scoreKey
	scoreValue

	numFields
)

// The objects of a message and what is read of them.
var (
	messageFields = map[string]field{
		"value": wrapped, "heliconeMeta": meta, "log": log, "requestId": requestID, "scores": scores, "feedback": feedback, "createdAt": createdAt,
	}
	metaFields = map[string]field{
		"promptId": metaPrompt, "promptVersionId": metaVersion, "promptEnvironment": metaEnvironment,
		"gatewayModel": gatewayModel, "modelOverride": modelOverride, "providerModelId": providerModel,
	}
	logFields     = map[string]field{"request": request, "response": response}
	requestFields = map[string]field{
		"id": id, "promptId": legacyPrompt, "promptVersion": legacyVersion, "model": requestModel, "properties": properties, "provider": provider,
		"countryCode": country, "requestCreatedAt": requestCreatedAt, "cacheReferenceId": cacheReference, "experimentColumnId": experimentColumn,
	}
	responseFields = map[string]field{
		"status": status, "timeToFirstToken": ttft, "delayMs": delay, "cost": cost, "model": responseModel, "responseCreatedAt": responseCreatedAt,
	}
	scoreFields = map[string]field{"score_attribute_key": scoreKey, "score_attribute_value": scoreValue}
)

// nested are the objects within objects.
var nested = [numFields]map[string]field{meta: metaFields, log: logFields, request: requestFields, response: responseFields}

// offered are the fields that the attribute table sees, by their keys.
var offered = [numFields][]byte{provider: []byte("provider"), country: []byte("countryCode")}

func (d *decoder) there(f field) bool { return d.has>>f&1 != 0 }

// object reads an object of these fields.
func (d *decoder) object(fields map[string]field) error {
	return d.each(func(key []byte) error {
		f := fields[string(key)]
		if f == ignored {
			return d.skip()
		}
		if d.seen>>f&1 != 0 {
			return consumer.Refused(consumer.DuplicateKey, "%s stands twice", nameOf(fields, f))
		}
		d.seen |= 1 << f
		if d.json.Peek() == 'n' {
			return d.skip()
		}
		d.has |= 1 << f
		return d.field(f, fields)
	})
}

// field reads the value of a field.
func (d *decoder) field(f field, fields map[string]field) error {
	if inner := nested[f]; inner != nil || f == properties {
		if d.json.Peek() != '{' {
			return consumer.Refused(consumer.WrongType, "%s is no object", nameOf(fields, f))
		}
		if f == properties {
			return d.each(d.property)
		}
		return d.object(inner)
	}
	if f == scores {
		return d.scores()
	}
	v, err := d.scalar()
	if err != nil {
		return err
	}
	d.values[f] = v
	if key := offered[f]; key != nil {
		if slot, ok := d.attrs.Lookup(key); ok {
			d.other.Put(slot, key, v)
		}
	}
	return nil
}

// nameOf is a field's key, for people.
func nameOf(fields map[string]field, f field) string {
	for name, g := range fields {
		if g == f {
			return name
		}
	}
	return ""
}

// Properties that Helicone gives a meaning.
const (
	ownPrompt = iota
	ownVersion
	ownExperiment
	numOwn
)

var ownNames = [numOwn]string{"helicone-prompt-id", "helicone-prompt-version", "helicone-experiment-id"}

// property reads a property of the request.
func (d *decoder) property(key []byte) error {
	v, err := d.scalar()
	if err != nil {
		return err
	}
	slot, ok := d.attrs.Lookup(key)
	if !ok {
		var lower [128]byte
		if len(key) > len(lower) {
			return nil
		}
		name := lower[:len(key)]
		for i, c := range key {
			if 'A' <= c && c <= 'Z' {
				c |= ' '
			}
			name[i] = c
		}
		for i := range ownNames {
			if string(name) == ownNames[i] && v.Type == consumer.Text && len(d.own[i]) == 0 {
				d.own[i] = v.Text
			}
		}
		if slot, ok = d.attrs.Lookup(name); !ok {
			return nil
		}
	}
	d.props.Put(slot, key, v)
	return nil
}

// scores reads the list of a message of scores.
func (d *decoder) scores() error {
	s := &d.json
	if !s.Take('[') {
		return consumer.Refused(consumer.WrongType, "scores are no list")
	}
	if s.Take(']') {
		return nil
	}
	for {
		if s.Peek() != '{' {
			return consumer.Refused(consumer.WrongType, "a score is no object")
		}
		const one = uint64(1)<<scoreKey | 1<<scoreValue
		d.seen, d.has = d.seen&^one, d.has&^one
		if err := d.object(scoreFields); err != nil {
			return err
		}
		v := consumer.ScoreValue{Rubric: bytes.TrimSuffix(d.label(scoreKey), []byte("-hcone-bool"))}
		v.Value, v.HasValue = d.number(scoreValue, "score_attribute_value")
		d.event.AddScore(v)
		if s.Take(']') {
			return nil
		}
		if !s.Take(',') {
			return d.malformed()
		}
	}
}

// label is a text, or a number as it is written. What else stands there refuses the event.
func (d *decoder) label(f field) []byte {
	if !d.there(f) {
		return nil
	}
	v := &d.values[f]
	if v.Type == consumer.Bool || v.Type == consumer.Other {
		d.event.Refuse(consumer.WrongType, "a name or id is neither text nor number")
		return nil
	}
	return v.Text
}

// number is a number, a text that is one, or 1 and 0 for true and false. What is none refuses the event.
func (d *decoder) number(f field, name string) (n float64, ok bool) {
	if !d.there(f) {
		return 0, false
	}
	switch v := &d.values[f]; v.Type {
	case consumer.Bool, consumer.Int:
		return float64(v.Int), true
	case consumer.Real:
		return v.Real, true
	case consumer.Text:
		if n, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(v.Text), len(v.Text)), 64); err == nil {
			return n, true
		}
	}
	d.event.Refuse(consumer.BadValue, name+" is no number")
	return math.NaN(), true
}

// each reads an object and calls one with each key, to read its value.
func (d *decoder) each(one func(key []byte) error) error {
	s := &d.json
	if !s.Take('{') {
		return d.malformed()
	}
	if s.Take('}') {
		return nil
	}
	for {
		key, ok := s.Text()
		if !ok || !s.Take(':') {
			return d.malformed()
		}
		if err := one(key); err != nil {
			return err
		}
		if s.Take('}') {
			return nil
		}
		if !s.Take(',') {
			return d.malformed()
		}
	}
}

// scalar reads a value; see consumer.JSONValue.
func (d *decoder) scalar() (v consumer.Value, err error) {
	v, ok := consumer.JSONValue(&d.json)
	if !ok {
		return v, d.malformed()
	}
	return v, nil
}

func (d *decoder) skip() error {
	if !d.json.Skip() {
		return d.malformed()
	}
	return nil
}

func (d *decoder) malformed() error { return consumer.MalformedJSON(&d.json, "") }
