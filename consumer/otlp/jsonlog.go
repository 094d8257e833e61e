package otlp

const (
	logTime = iota
	logObserved
	logBody
	logAttributes
	logTraceID
	logSpanID
	logName
)

var (
	logKeys  = []string{"timeUnixNano", "observedTimeUnixNano", "body", "attributes", "traceId", "spanId", "eventName"}
	bodyKeys = []string{"kvlistValue"}
	mapKeys  = []string{"values"}
)

// logRecord reads a LogRecord that is an evaluation; of any other the attributes are looked through for its name, and the body is
// skipped.
func (d *jsonDecoder) logRecord() error {
	d.beginLog()
	e := &d.event
	var at, observed uint64
	var name []byte
	attributes, body := -1, -1
	var o object
	for {
		k, err := d.next(&o, "a log record", logKeys)
		if err != nil {
			return err
		}
		switch k {
		case logTime:
			at, err = d.time("timeUnixNano")
		case logObserved:
			observed, err = d.time("observedTimeUnixNano")
		case logBody:
			body, err = d.later()
		case logAttributes:
			attributes, err = d.later()
		case logTraceID:
			err = d.id(e, e.Trace[:], "trace id")
		case logSpanID:
			err = d.id(e, e.Span[:], "span id")
		case logName:
			name, err = d.readText("eventName")
		default:
			return d.evaluation(name, attributes, body, at, observed)
		}
		if err != nil {
			return err
		}
	}
}

// evaluation reads what stands at the places of a log record's attributes and body, if it is an evaluation.
func (d *jsonDecoder) evaluation(name []byte, attributes, body int, at, observed uint64) error {
	if len(name) > 0 && !d.attrs.ScoreEvent(name) {
		return nil
	}
	d.named = name
	if attributes >= 0 {
		if err := d.at(attributes, func() error { return d.attributes(&d.own) }); err != nil {
			return err
		}
	}
	if !d.attrs.ScoreEvent(d.named) {
		return nil
	}
	if body >= 0 {
		if err := d.at(body, d.body); err != nil {
			return err
		}
	}
	d.endLog(at, observed)
	return nil
}

// body reads the body of an evaluation, which may be a map that says what attributes may say.
func (d *jsonDecoder) body() error {
	var o object
	for {
		k, err := d.next(&o, "the body of a log record", bodyKeys)
		if err != nil || k < 0 {
			return err
		}
		var m object
		for {
			k, err := d.next(&m, "the body of a log record", mapKeys)
			if err != nil {
				return err
			}
			if k < 0 {
				break
			}
			if err := d.attributes(&d.own); err != nil {
				return err
			}
		}
	}
}
