// Package windows keeps the rolling figures of every series of a samples partition: minute and quarter-hour panes, the
// windows over them and the watermark that seals them. It knows neither Kafka nor rules. All state of a [Store] is owned by
// the one goroutine that calls it; time comes in with the samples. A day is the longest window and as long as anything is waited
// for: sources further behind are not, and what they bring of before it is dropped and counted.
package windows

import (
	"encoding/binary"
	"errors"
)

// The metrics that every prompt has, beside LinkCoverage and ScoreCoverage. A metric by any other name is a rubric.
const (
	Latency      = "latency"       // seconds, of the whole call
	TTFT         = "ttft"          // seconds to the first token
	InputTokens  = "input_tokens"  // of one call
	OutputTokens = "output_tokens" // of one call
	Cost         = "cost"          // USD of one call
	Error        = "error"         // 1 when the call failed, else 0
	Fallback     = "fallback"      // 1 when a fallback prompt was used, else 0
	Volume       = "volume"        // calls; a count without values
)

// Builtin numbers the metrics that a call itself carries.
type Builtin uint8

// The order is part of the samples format.
const (
	BuiltinLatency Builtin = iota
	BuiltinTTFT
	BuiltinInputTokens
	BuiltinOutputTokens
	BuiltinCost
	BuiltinError
	BuiltinFallback
	NumBuiltin
)

// BuiltinNames are the names of the built-in metrics by number.
var BuiltinNames = [NumBuiltin]string{Latency, TTFT, InputTokens, OutputTokens, Cost, Error, Fallback}

// Mask says what a sample has: bit i for the built-in metric i, and whether it is a call (counts as volume) and has a trace.
type Mask uint16

// Has tells whether the built-in metric b is there.
func (m Mask) Has(b Builtin) bool { return m&(1<<b) != 0 }

const (
	// MaskCall marks a span of a model call, as opposed to a score that came by itself.
	MaskCall Mask = 1 << 8
	// MaskTrace marks a sample with a trace id and a span id.
	MaskTrace Mask = 1 << 9
)

// MaxValue bounds the magnitude of every value, so that sums stay exact (see Sum). Larger ones are refused at the door.
const MaxValue = 1e12

// Position is the place of an event in its source partition: the record's offset, and the number of the event among those
// of its record (an OTLP export request holds many).
type Position struct {
	Offset int64  // from 0
	Index  uint32 // below 2³² − 1
}

// Less orders positions as the source does.
func (p Position) Less(q Position) bool {
	return p.Offset < q.Offset || p.Offset == q.Offset && p.Index < q.Index
}

// After is the position that follows p.
func (p Position) After() Position { return Position{p.Offset, p.Index + 1} }

// Source names a partition of a source topic. Incarnation is the topic's id, so that a topic that was deleted and made again
// under its old name is another source.
type Source struct {
	Topic       string
	Partition   int32
	Incarnation [16]byte
}

// Sample is the compact form of one event on its way into a batch. Its byte slices may alias the caller's buffers: Add
// copies what it keeps.
type Sample struct {
	Position
	Time    int64  // event time, Unix ns, from 0
	Cell    []byte // key of prompt, version and the dimensions in configured order, see AppendKey
	Known   *Known // what the encoder remembers of Cell; may be nil
	Axes    []byte // key of template hash, model, variant and environment, see AppendKey
	TraceID [16]byte
	SpanID  [8]byte
	Mask    Mask
	Values  [NumBuiltin]float64 // those in Mask count; finite, magnitude at most MaxValue
	Scores  []Score
}

// Score is a value on a rubric.
type Score struct {
	Rubric []byte
	Value  float64 // finite, magnitude at most MaxValue
}

// AppendKey appends the length-prefixed parts to dst: the canonical form of a tuple of labels, comparable as bytes.
func AppendKey[S ~string | ~[]byte](dst []byte, parts ...S) []byte {
	for _, p := range parts {
		dst = binary.AppendUvarint(dst, uint64(len(p)))
		dst = append(dst, p...)
	}
	return dst
}

var errKey = errors.New("key is cut short")

// SplitKey is the inverse of AppendKey; it appends the parts to dst.
func SplitKey(dst []string, key []byte) ([]string, error) {
	for len(key) > 0 {
		n, w := binary.Uvarint(key)
		if w <= 0 || n > uint64(len(key)-w) {
			return dst, errKey
		}
		dst = append(dst, string(key[w:w+int(n)]))
		key = key[w+int(n):]
	}
	return dst, nil
}
