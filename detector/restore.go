package detector

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/driftd/driftd/windows"
)

// reader of one partition of a topic; see worker.go for the one over Kafka. Its own failures are *readError, which is worth
// trying again; errors of each are passed on.
type partitionReader interface {
	// bounds are the offsets of the first record and of the one that will be written next.
	bounds(ctx context.Context) (first, next int64, err error)
	// read hands over the records of [from, to) that are there, in order. value is good for the duration of the call.
	read(ctx context.Context, from, to int64, each func(offset int64, value []byte) error) error
}

// readError is a failure to reach the log.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

// resetMark is a record of the state log: all that stands before it was given up. A partition that starts anew writes it,
// for checkpoints are told apart by how much went into them, and the new ones start from nothing.
var resetMark = []byte("driftd: state given up, started anew")

// findCheckpoint looks for the newest complete checkpoint, from the end of the state log backwards in growing steps; nil when
// there is none.
func findCheckpoint(ctx context.Context, log partitionReader) (*windows.Checkpoint, error) {
	first, next, err := log.bounds(ctx)
	if err != nil {
		return nil, err
	}
	f := windows.NewFinder()
	for from, to, step := next, next, int64(16); from > first; to, step = from, step*4 {
		from = max(first, to-step)
		marked := false
		err := log.read(ctx, from, to, func(_ int64, value []byte) error {
			if bytes.Equal(value, resetMark) {
				f, marked = windows.NewFinder(), true
			}
			f.Add(value)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if cp, ok := f.Best(); ok || marked {
			return cp, nil
		}
	}
	return nil, nil
}

// readRecords hands over the records at the given ascending offsets, all of them or it fails.
func readRecords(ctx context.Context, log partitionReader, offsets []int64, each func(record []byte) error) error {
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
func readHistory(ctx context.Context, log partitionReader) (*History, error) {
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
