package detector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/driftd/driftd/internal/fault"
	"github.com/driftd/driftd/windows"
)

// partitionLog is one partition of a topic; see worker.go for the one over Kafka. Failures to read are *readError, which are
// worth trying again; errors of each are passed on.
type partitionLog interface {
	// bounds are the offsets of the first record and of the one that will be written next.
	bounds(ctx context.Context) (first, next int64, err error)
	// read hands over the records of [from, to) that are there, in order. value is good for the duration of the call.
	read(ctx context.Context, from, to int64, each func(offset int64, value []byte) error) error
	// append writes records in order and returns their offsets.
	append(ctx context.Context, records [][]byte) (offsets []int64, err error)
}

// readError is a failure to reach the log.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

// resetMark is a record of the state log: all that stands before it was given up. A partition that starts anew writes it,
// for checkpoints are told apart by how much went into them, and the new ones start from nothing.
var resetMark = []byte("driftd: state given up, started anew")

// IsReset tells whether a record of the state log says that all before it was given up.
func IsReset(record []byte) bool { return bytes.Equal(record, resetMark) }

// open makes the partition: from the newest checkpoint, or where there is none that can be used, from the oldest samples and
// what the log of alerts says of the past. It fails only when ctx ends.
func (t *task) open(ctx context.Context) error {
	state := t.topic(t.state)
	var cp *windows.Checkpoint
	if err := t.insist(ctx, "look for a checkpoint", func() (err error) {
		cp, err = findCheckpoint(ctx, state)
		return err
	}); err != nil {
		return err
	}
	t.set = t.rules.Load()
	if cp != nil {
		fault.Point("detect.restore")
		if err := t.restore(ctx, cp, state); err != nil {
			return err
		}
	}
	if t.p == nil {
		if err := t.begin(ctx, state); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) options(h *History) PartitionOptions {
	return PartitionOptions{Windows: t.o.Windows, Rules: t.set, Partitions: t.o.Partitions, History: h}
}

// restore fills t.p from a checkpoint. Where that is not possible t.p stays nil.
func (t *task) restore(ctx context.Context, cp *windows.Checkpoint, state partitionLog) error {
	return t.insist(ctx, "restore checkpoint", func() error {
		p, offset, err := RestorePartition(t.options(nil), cp, func(offsets []int64, each func([]byte) error) error {
			return readRecords(ctx, state, offsets, each)
		})
		if unread, ok := errors.AsType[*readError](err); ok {
			return unread
		}
		if err != nil {
			t.meters.restoreFailures.Inc()
			t.log.Error("checkpoint cannot be used, starting from the oldest samples", "error", err)
			return nil
		}
		t.meters.restored.Inc()
		t.p, t.offset, t.saved = p, offset, offset
		return nil
	})
}

// begin starts from the oldest samples.
func (t *task) begin(ctx context.Context, state partitionLog) error {
	var history *History
	err := t.insist(ctx, "read the past of alerts", func() (err error) {
		history, err = readHistory(ctx, t.topic(t.alerts))
		if err == nil {
			t.offset, _, err = t.topic(t.samples).bounds(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = t.insist(ctx, "mark the state as given up", func() error {
		first, next, err := state.bounds(ctx)
		if err == nil && next > first {
			_, err = state.append(ctx, [][]byte{resetMark})
		}
		return err
	})
	if err != nil {
		return err
	}
	fault.Point("detect.reset")
	t.meters.started.Inc()
	t.p = NewPartition(t.options(history))
	t.saved = -1
	return nil
}

// findCheckpoint looks for the newest complete checkpoint, from the end of the state log backwards in growing steps; nil when
// there is none.
func findCheckpoint(ctx context.Context, log partitionLog) (*windows.Checkpoint, error) {
	first, next, err := log.bounds(ctx)
	if err != nil {
		return nil, err
	}
	f := windows.NewFinder()
	for from, to, step := next, next, int64(4); from > first; to, step = from, step*4 {
		from = max(first, to-step)
		marked := int64(-1)
		err := log.read(ctx, from, to, func(offset int64, value []byte) error {
			if IsReset(value) {
				marked = offset
			}
			f.Add(value)
			return nil
		})
		if err == nil && marked >= 0 { // only what is behind it holds, of which this step may have seen a part
			f = windows.NewFinder()
			err = log.read(ctx, marked+1, next, func(_ int64, value []byte) error {
				f.Add(value)
				return nil
			})
		}
		if err != nil {
			return nil, err
		}
		if cp, ok := f.Best(); ok || marked >= 0 {
			return cp, nil
		}
	}
	return nil, nil
}

// readRecords hands over the records at the given ascending offsets, all of them or it fails.
func readRecords(ctx context.Context, log partitionLog, offsets []int64, each func(record []byte) error) error {
	for len(offsets) > 0 {
		// Records that are wanted lie in runs, with those of other checkpoints between them.
		n := 1
		for n < len(offsets) && offsets[n]-offsets[n-1] <= maxSkipped {
			n++
		}
		run := offsets[:n]
		offsets = offsets[n:]
		err := log.read(ctx, run[0], run[n-1]+1, func(offset int64, value []byte) error {
			if len(run) == 0 || offset < run[0] {
				return nil
			}
			if offset > run[0] {
				return fmt.Errorf("record at offset %d is gone", run[0])
			}
			run = run[1:]
			return each(value)
		})
		if err != nil {
			return err
		}
		if len(run) > 0 {
			return fmt.Errorf("record at offset %d is gone", run[0])
		}
	}
	return nil
}

// maxSkipped is how many records are read for nothing rather than fetching anew behind them.
const maxSkipped = 8

// readHistory reads a partition's whole log of alerts.
func readHistory(ctx context.Context, log partitionLog) (*History, error) {
	first, next, err := log.bounds(ctx)
	if err != nil {
		return nil, err
	}
	h := NewHistory()
	err = log.read(ctx, first, next, func(_ int64, value []byte) error {
		var r Record
		if json.Unmarshal(value, &r) == nil { // what is no record was not written by us
			h.Add(&r)
		}
		return nil
	})
	return h, err
}
