package protocol

import (
	"fmt"
	"slices"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/windows"
)

// folding is detect with one samples partition, or one that believes so.
type folding struct {
	part          int
	core          *detector.Partition
	offset, saved int64
	unsent        []entry // steps
	dead          bool
	batch         windows.Batch
}

// fold gives a samples partition to another worker.
func (w *cores) fold(part int) {
	f := &folding{part: part, saved: -1}
	s := &w.state[part]
	find := windows.NewFinder()
	for _, r := range s.records[s.first:] {
		if find.Add(r); detector.IsReset(r) {
			find = windows.NewFinder()
		}
	}
	if cp, ok := find.Best(); ok {
		var err error
		f.core, f.offset, err = detector.RestorePartition(w.options(), cp, func(offsets []int64, each func([]byte) error) error {
			for _, o := range offsets {
				if o < s.first {
					return fmt.Errorf("record at offset %d is gone", o)
				}
				if err := each(s.records[o]); err != nil {
					return err
				}
			}
			return nil
		})
		f.saved = f.offset
		if err != nil {
			f.core = nil
		}
	}
	if f.core == nil { // from the oldest samples
		o := w.options()
		o.History = detector.NewHistory()
		for i := range w.alerts[part] {
			o.History.Add(w.alerts[part][i].record)
		}
		if int64(len(s.records)) > s.first {
			s.records = append(s.records, given)
		}
		f.core, f.offset, f.saved = detector.NewPartition(o), 0, -1
	}
	w.detect[part] = append(slices.DeleteFunc(w.detect[part], func(f *folding) bool { return f.dead }), f)
}

// advance lets detect do one thing: steps are written before the checkpoint that covers them.
func (w *cores) advance(f *folding) bool {
	all := w.detect[f.part]
	die := func() {
		f.dead = true
		if all := w.detect[f.part]; all[len(all)-1] == f {
			w.fold(f.part)
		}
	}
	switch {
	case f.dead:
		return false
	case all[len(all)-1] != f && w.pick(8) == 0: // it has noticed that it is a zombie
		f.dead = true
	case len(f.unsent) > 0:
		steps := f.unsent
		if w.append(w.outcome(), func() { w.alert(f.part, steps) }, die) {
			f.unsent = nil
		}
	case f.offset != f.saved && !f.core.Replaying() && w.pick(12) == 1:
		err := f.core.Checkpoint(f.offset, func(records [][]byte) (offsets []int64, err error) {
			s := &w.state[f.part]
			for i := range records {
				records[i] = slices.Clone(records[i])
			}
			acked := w.append(w.outcome(), func() {
				offsets = offsets[:0]
				for _, r := range records {
					offsets = append(offsets, int64(len(s.records)))
					s.records = append(s.records, r)
				}
			}, func() { f.dead = true })
			if !acked {
				return nil, errBroken
			}
			return offsets, nil
		})
		if f.dead {
			die()
		} else if err == nil {
			f.saved = f.offset
		}
	case f.offset < int64(len(w.samples[f.part])):
		if err := f.batch.Decode(w.samples[f.part][f.offset]); err != nil {
			panic(err)
		}
		for _, r := range f.core.Apply(&f.batch) {
			f.unsent = append(f.unsent, entryOf(&r))
		}
		f.offset++
	default:
		return false
	}
	return true
}
