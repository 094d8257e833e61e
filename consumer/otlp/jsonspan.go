package otlp

// The known keys of a span, as the Collector orders them.
const (
	spanTraceID = iota
	spanSpanID
	spanParentID
	spanStart
	spanEnd
	spanAttributes
	spanEvents
	spanLinks
	spanStatus
)

var (
	spanKeys      = []string{"traceId", "spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano", "attributes", "events", "links", "status"}
	spanEventKeys = []string{"name", "attributes"}
	linkKeys      = []string{"traceId", "spanId"}
	statusKeys    = []string{"code"}
)

// span reads a Span.
func (d *jsonDecoder) span() error {
	d.beginSpan()
	e := &d.event
	var start, end uint64
	failed := false
	var o object
	for {
		k, err := d.next(&o, "a span", spanKeys)
		if err != nil {
			return err
		}
		switch k {
		case spanTraceID:
			err = d.id(e, e.Trace[:], "trace id")
		case spanSpanID:
			err = d.id(e, e.Span[:], "span id")
		case spanParentID:
			err = d.id(e, e.Parent[:], "parent span id")
		case spanStart:
			start, err = d.time("startTimeUnixNano")
		case spanEnd:
			end, err = d.time("endTimeUnixNano")
		case spanAttributes:
			err = d.attributes(&d.own)
		case spanEvents:
			err = d.spanEvents()
		case spanLinks:
			err = d.spanLinks()
		case spanStatus:
			failed, err = d.status()
		default:
			d.endSpan(start, end, failed)
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (d *jsonDecoder) spanEvents() error {
	var l list
	for {
		more, err := d.element(&l, "events")
		if err != nil || !more {
			return err
		}
		if err := d.readSpanEvent(); err != nil {
			return err
		}
	}
}

// readSpanEvent reads an event that is an evaluation; of any other the attributes are skipped.
func (d *jsonDecoder) readSpanEvent() error {
	var o object
	named, score, attributes := false, false, -1
	for {
		k, err := d.next(&o, "a span event", spanEventKeys)
		switch {
		case err != nil:
		case k == 0:
			var name []byte
			name, err = d.readText("name")
			named, score = true, d.attrs.ScoreEvent(name)
		case k == 1 && named && !score:
			err = d.skip()
		case k == 1:
			attributes, err = d.later()
		case !score:
			return nil
		default:
			d.result.Reset()
			if attributes >= 0 {
				err = d.at(attributes, func() error { return d.attributes(&d.result) })
			}
			if err == nil {
				d.spanEvent()
			}
			return err
		}
		if err != nil {
			return err
		}
	}
}

func (d *jsonDecoder) spanLinks() error {
	var l list
	for {
		more, err := d.element(&l, "links")
		if err != nil || !more {
			return err
		}
		if err := d.link(); err != nil {
			return err
		}
	}
}

func (d *jsonDecoder) link() error {
	to := d.nextLink()
	if to == nil {
		return d.skip()
	}
	var o object
	for {
		k, err := d.next(&o, "a span link", linkKeys)
		if err != nil {
			return err
		}
		switch k {
		case 0:
			err = d.id(to, to.Trace[:], "linked trace id")
		case 1:
			err = d.id(to, to.Span[:], "linked span id")
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// status tells whether the span failed. The code is a number, in some producers' JSON a name.
func (d *jsonDecoder) status() (failed bool, err error) {
	var o object
	for {
		k, err := d.next(&o, "the status of a span", statusKeys)
		if err != nil || k < 0 {
			return failed, err
		}
		if d.json.Peek() == '"' {
			var name []byte
			name, err = d.readText("code")
			failed = string(name) == "STATUS_CODE_ERROR"
		} else {
			var code int64
			code, err = d.integer("code of the status")
			failed = code == statusError
		}
		if err != nil {
			return false, err
		}
	}
}
