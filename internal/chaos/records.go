package main

import (
	"cmp"
	"encoding/hex"
	"slices"

	"github.com/driftd/driftd/internal/chaos/compare"
	"github.com/driftd/driftd/internal/chaos/oracle"
	"github.com/driftd/driftd/internal/chaos/stream"
)

// passed is a stretch of a source partition that driftd could not read, or was told to pass over: its records are named, and do not
// count.
type passed struct {
	topic       string
	partition   int
	incarnation [16]byte
	from, to    int64
	counted     int   // of the first record: so many of its events were counted before
	gone        int64 // from there on nothing was ever read, not even to be linked to
}

// remember keeps the records of the source topics as they stand now, for some of them will be gone.
func (r *run) remember() error {
	now, err := r.sources()
	if err != nil {
		return err
	}
	r.kept = join(r.kept, now)
	return nil
}

func (r *run) sources() ([]oracle.Record, error) {
	var names []string
	for _, t := range r.told() {
		names = append(names, t.Name)
	}
	return compare.Sources(r.ctx, r.world.Client, names...)
}

// join is all records of both, each once and those of a partition in the order of its log.
func join(a, b []oracle.Record) []oracle.Record {
	all := append(slices.Clone(a), b...)
	order := func(x, y oracle.Record) int {
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Incarnation, y.Incarnation), cmp.Compare(x.Offset, y.Offset))
	}
	slices.SortStableFunc(all, order)
	return slices.CompactFunc(all, func(x, y oracle.Record) bool { return order(x, y) == 0 })
}

// want is what driftd must have made of all records that ever stood in the source topics.
func (r *run) want() (*oracle.Want, error) {
	if err := r.remember(); err != nil {
		return nil, err
	}
	records := r.kept
	for _, p := range r.passed {
		incarnation := hex.EncodeToString(p.incarnation[:])
		for i := range records {
			rec := &records[i]
			if rec.Topic == p.topic && int(rec.Partition) == p.partition && rec.Incarnation == incarnation && rec.Offset >= p.from && rec.Offset < p.to {
				rec.Unread = true
				if rec.Offset == p.from {
					rec.Counted = p.counted
				}
				if rec.Offset >= p.gone {
					rec.Value = nil
				}
			}
		}
	}
	s := r.world.Stream
	c := oracle.Config{Dimensions: stream.Dimensions, Rules: []byte(s.Rules), Until: s.Until}
	for _, t := range r.told() {
		c.Sources = append(c.Sources, oracle.Source{Topic: t.Name, Encoding: t.Encoding, Dedup: r.dedup})
	}
	return oracle.Compute(records, c)
}

// unread takes the dead letters of what was passed over out: what is refused is so when it is read, whether what waits before it in the
// delay line counts in the end or not.
func (r *run) unread(dead []oracle.Dead) []oracle.Dead {
	return slices.DeleteFunc(dead, func(d oracle.Dead) bool {
		return slices.ContainsFunc(r.passed, func(p passed) bool {
			return d.Topic == p.topic && int(d.Partition) == p.partition && d.Incarnation == hex.EncodeToString(p.incarnation[:]) && d.Offset >= p.from && d.Offset < p.to
		})
	})
}
