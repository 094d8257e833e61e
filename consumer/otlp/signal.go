package otlp

import "github.com/VictoriaMetrics/easyproto"

// signal is what an export request is of.
type signal uint8

const (
	undecided signal = iota
	traces
	logs
	metrics
	profiles
)

func (s signal) String() string {
	return [...]string{"nothing known", "traces", "logs", "metrics", "profiles"}[s]
}

// itemPath leads from a request to its spans, log records or metrics: the requests of all signals have resources in field 1,
// those scopes in field 2, and those the items in field 2.
var itemPath = [...]uint32{1, 2, 2}

// signalOf tells by structure alone what a request is of: the fields of spans, log records and metrics have the same numbers and
// other types. The first item decides that has a field which only one of them can have; every span of a known producer has a
// kind or times, and every log record a time or attributes. A request without any such item says nothing.
func signalOf(data []byte, level int) signal {
	var f easyproto.FieldContext
	for len(data) > 0 {
		var err error
		if data, err = f.NextField(data); err != nil {
			return undecided // to be said where it is read
		}
		if f.FieldNum != itemPath[level] {
			continue
		}
		sub, ok := f.MessageData()
		if !ok {
			continue
		}
		var s signal
		if level == len(itemPath)-1 {
			s = signalOfItem(sub)
		} else {
			s = signalOf(sub, level+1)
		}
		if s != undecided {
			return s
		}
	}
	return undecided
}

// signalOfItem looks at the types of an item's fields.
//
//	field   span               log record             metric
//	1       trace id, bytes    time, fixed64          name, bytes
//	2       span id, bytes     severity, varint       description, bytes
//	4       parent, bytes      –                      –
//	5       name, bytes        body, bytes            gauge, bytes
//	6       kind, varint       attributes, bytes      –
//	7       start, fixed64     dropped, varint        sum, bytes
//	8       end, fixed64       flags, fixed32         –
//	9       attributes, bytes  trace id, bytes        histogram, bytes
//	10      dropped, varint    span id, bytes         exponential histogram, bytes
//	11      events, bytes      observed, fixed64      summary, bytes
//	12      dropped, varint    name, bytes            metadata, bytes
//	13 …    links, …           –                      –
func signalOfItem(data []byte) signal {
	var f easyproto.FieldContext
	guess := undecided // by what may look like another message by chance
	for len(data) > 0 {
		var err error
		if data, err = f.NextField(data); err != nil {
			return undecided
		}
		_, varint := f.Uint64()
		_, fixed64 := f.Fixed64()
		inner, message := f.MessageData()
		switch n := f.FieldNum; {
		case n == 1 && fixed64, n == 2 && varint, n == 6 && message, n == 7 && varint, n == 11 && fixed64:
			return logs
		case n == 4 && message, n == 6 && varint, (n == 7 || n == 8) && fixed64, n == 10 && varint, n == 12 && varint, n >= 13 && n <= 16:
			return traces
		case n == 7 && message:
			return metrics
		case guess == undecided && message && (n == 5 || n >= 9 && n <= 11):
			guess = signalOfInner(n, inner)
		}
	}
	return guess
}

// signalOfInner looks into a field that may be an attribute or an event of a span, or the points of a metric.
func signalOfInner(number uint32, data []byte) signal {
	if number == 5 {
		if len(data) > 1 && data[0] == 1<<3|2 { // points of a gauge; no span's name begins with a line feed
			return metrics
		}
		return undecided
	}
	var f easyproto.FieldContext
	for len(data) > 0 {
		var err error
		if data, err = f.NextField(data); err != nil {
			return undecided
		}
		_, varint := f.Uint64()
		_, fixed64 := f.Fixed64()
		_, message := f.MessageData()
		switch {
		case f.FieldNum == 2 && varint && number < 11: // how a histogram adds up
			return metrics
		case f.FieldNum == 2 && message && number == 9, f.FieldNum == 1 && fixed64 && number == 11: // an attribute's value, an event's time
			return traces
		}
	}
	return undecided
}
