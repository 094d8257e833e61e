package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/driftd/driftd/detector"
)

// Core is the thinking part of an act worker: it folds the alerts topic into a state and acts on it. One goroutine calls
// it; nothing in it knows Kafka. Partitions come and go: Begin, Folds of the retained records, Live, further Folds, End.
type Core interface {
	// Begin forgets what was known of the partition. Steps below committed were dealt with before.
	Begin(partition int, committed int64)
	// Fold learns one record, in the order of the partition but for the core's own, which it learns when they are acked.
	// The same record may come again.
	Fold(partition int, e Entry)
	// Live says that all retained records of the partition were folded, so that it may be acted on.
	Live(partition int)
	// End forgets the partition: another worker has it now.
	End(partition int)
	// Due returns when there is something to do, and false for nothing until the next record.
	Due() (time.Time, bool)
	// Act does one due thing and writes what it did through j. It blocks on the network, and returns soon after ctx ends.
	Act(ctx context.Context, j Journal)
	// Outstanding returns the offset of the oldest step in the partition that is not dealt with, false for none.
	Outstanding(partition int) (offset int64, ok bool)
	// Status tells people how it is.
	Status() Status
}

// Journal appends actions to the alerts topic.
type Journal interface {
	// Append returns nil when all records are acked and folded into the core. After an error they may be in the log or not.
	Append(ctx context.Context, partition int, records ...detector.Record) error
}

// Entry is a record with its place in its partition.
type Entry struct {
	Offset int64
	Record detector.Record
}

// Status is the state of a receiver or of the registry, for the ready page.
type Status struct {
	Outstanding int    // groups that are still to be told
	Problem     string // what is wrong and, where known, what to do; empty when all is well
}

// maxRecord bounds an alert record, in bytes. Real ones have some hundred to a few thousand.
const maxRecord = 1 << 20

// Decode reads an alert record. It fails on one without identity, step, type or time.
func Decode(value []byte) (detector.Record, error) {
	var r detector.Record
	if len(value) > maxRecord {
		return r, fmt.Errorf("decode alert record: %d bytes are more than %d", len(value), maxRecord)
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return r, fmt.Errorf("decode alert record: %w", err)
	}
	if r.ID == "" || r.Step < 1 || r.Type == "" || r.Time.IsZero() {
		return r, errors.New("decode alert record: id, step, type or time is missing")
	}
	return r, nil
}

// Action returns a record of what driftd did about step at time now: identity and figures of the step, without what
// matters only to readers of the step itself.
func Action(step *detector.Record, typ detector.RecordType, now time.Time) detector.Record {
	r := *step
	r.Type, r.Time, r.Actor = typ, now.UTC(), "driftd"
	r.Annotations, r.Exemplars, r.Interval = nil, nil, nil
	r.Receiver, r.Reason, r.Ref = "", "", ""
	return r
}
