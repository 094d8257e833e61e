package protocol

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/windows"
)

// evidence is what is left when all is over, and what there should be.
type evidence struct {
	fates   map[origin]*fate
	samples [samplesPartitions][][]byte // records, by offset
	alerts  [samplesPartitions][]entry
	batch   windows.Batch
	failed  []string
}

func newEvidence() evidence { return evidence{fates: map[origin]*fate{}} }

// fate is what becomes of the events of a source partition, by offset.
type fate struct {
	counts  []bool // it should
	mayLose []bool // it need not, though
	stands  []bool // in the samples topic
	counted []bool
}

func (e *evidence) fate(o origin) *fate {
	f := e.fates[o]
	if f == nil {
		f = &fate{}
		e.fates[o] = f
	}
	return f
}

func mark(b *[]bool, at int64) {
	for int64(len(*b)) <= at {
		*b = append(*b, false)
	}
	(*b)[at] = true
}

func marked(b []bool, at int) bool { return at < len(b) && b[at] }

// gone notes that what is not counted of a stretch may be lost.
func (f *fate) gone(from, to int64) {
	for ; from < to; from++ {
		mark(&f.mayLose, from)
	}
}

// entry is a record of the alerts topic.
type entry struct {
	value  string
	record *detector.Record // that it is read as
}

func entryOf(r *detector.Record) entry {
	of := *r
	return entry{string(encode(r)), &of}
}

func entryAs(value []byte) entry {
	r, err := alert.Decode(value)
	if err != nil {
		panic(err)
	}
	return entry{string(value), &r}
}

// bad notes what must not be.
func (e *evidence) bad(format string, args ...any) {
	e.failed = append(e.failed, fmt.Sprintf(format, args...))
}

// decode reads a samples record.
func (e *evidence) decode(value []byte) origin {
	if err := e.batch.Decode(value); err != nil {
		panic(err)
	}
	src := &e.batch.Source
	return origin{src.Topic, src.Incarnation, int(src.Partition)}
}

// stand notes the events that come into the samples topic.
func (e *evidence) stand(value []byte) {
	f := e.fate(e.decode(value))
	for _, p := range e.batch.Pos {
		mark(&f.stands, p.Offset)
	}
}

// written tells whether all events that count stand in the samples topic, but for those that may be lost.
func (e *evidence) written() bool {
	for _, f := range e.fates {
		for at, counts := range f.counts {
			if counts && !marked(f.stands, at) && !marked(f.mayLose, at) {
				return false
			}
		}
	}
	return true
}

// committed holds that ingest commits nothing that is not in the samples topic.
func (e *evidence) committed(o origin, offset int64) {
	f := e.fate(o)
	for at, counts := range f.counts {
		if counts && int64(at) < offset && !marked(f.stands, at) && !marked(f.mayLose, at) {
			e.bad("%v commits %d, and the event at %d is not written", o, offset, at)
		}
	}
}

// verdict is what a run gave.
type verdict struct {
	steps    [samplesPartitions][]entry            // what a detect stage to which nothing happens makes of the samples
	byOffset [samplesPartitions]map[int64][]string // the same, by the offset of the batch that they come of
	doubled  int                                   // samples that were written more than once
	lost     int
}

// check counts as detect should, and compares.
func (e *evidence) check() (v verdict) {
	v.doubled, v.lost = e.count()
	for p := range e.samples {
		calm := detector.NewPartition(detectOptions())
		v.byOffset[p] = map[int64][]string{}
		for offset, value := range e.samples[p] {
			e.decode(value)
			for _, r := range calm.Apply(&e.batch) {
				step := entryOf(&r)
				v.byOffset[p][int64(offset)] = append(v.byOffset[p][int64(offset)], step.value)
				v.steps[p] = append(v.steps[p], step)
			}
		}
		if n := calm.Counts(); n.Late > 0 || n.TooLate > 0 {
			e.bad("%d events of partition %d are late", n.Late+n.TooLate, p)
		}
		if d := difference(e.firsts(p), v.steps[p]); d != "" {
			e.bad("partition %d has other steps than its samples give: %s", p, d)
		}
	}
	return v
}

// count goes through the samples as the protocol says, and holds that each event counts once. Some that are lost may be.
func (e *evidence) count() (doubled, lost int) {
	for p := range e.samples {
		cursors := map[origin]windows.Position{}
		for _, value := range e.samples[p] {
			o := e.decode(value)
			f, next := e.fate(o), cursors[o]
			for _, pos := range e.batch.Pos {
				if pos.Less(next) {
					doubled++
					continue
				}
				next = pos.After()
				if marked(f.counted, int(pos.Offset)) {
					e.bad("event %d of %v counts twice", pos.Offset, o)
				}
				mark(&f.counted, pos.Offset)
				if !marked(f.counts, int(pos.Offset)) {
					e.bad("event %d of %v counts, and should not", pos.Offset, o)
				}
			}
			cursors[o] = next
		}
	}
	for o, f := range e.fates {
		for at, counts := range f.counts {
			switch {
			case !counts || marked(f.counted, at):
			case marked(f.mayLose, at):
				lost++
			default:
				e.bad("event %d of %v does not count", at, o)
			}
		}
	}
	return doubled, lost
}

// firsts are the steps in the alerts topic, each where it stands first.
func (e *evidence) firsts(partition int) (out []entry) {
	seen := map[string]bool{}
	for _, a := range e.alerts[partition] {
		if a.record.Actor == "" && !seen[a.value] {
			seen[a.value] = true
			out = append(out, a)
		}
	}
	return out
}

// toldOf holds that a receiver knows what fires.
func (e *evidence) toldOf(name string, told map[string]detector.RecordType) {
	newest := map[string]*detector.Record{} // who makes a step again may do so behind the next one
	for p := range e.alerts {
		for _, a := range e.alerts[p] {
			if r := a.record; (r.Type == detector.Firing || r.Type == detector.Resolved) && (newest[r.ID] == nil || newest[r.ID].Step < r.Step) {
				newest[r.ID] = r
			}
		}
	}
	for id, r := range newest {
		is := r.Type
		if is == detector.Firing && told[id] != detector.Firing {
			e.bad("%s was not told that %s fires, but %q", name, id, told[id])
		}
		if is == detector.Resolved && told[id] == detector.Firing {
			e.bad("%s was not told that %s is over", name, id)
		}
	}
}

// difference is the first one, empty for none.
func difference(got, want []entry) string {
	brief := func(of []entry, i int) string {
		if i >= len(of) {
			return "nothing"
		}
		r := of[i].record
		return fmt.Sprintf("%s %s of %s %s at %s with %d samples: %.1000s", r.Type, r.Rule, r.Prompt, r.Cohort, r.Time.Format(time.TimeOnly), r.Samples, of[i].value)
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i].value != want[i].value {
			return fmt.Sprintf("of %d and %d number %d is\n%s\nwant\n%s", len(got), len(want), i, brief(got, i), brief(want, i))
		}
	}
	return ""
}

// wrote looks at what was written, while it can be told where everything else stood.
func (w *world) wrote(s *simulation, topic string, partition int, base int64) {
	l := s.kafka.log(topic, partition)
	switch topic {
	case "driftd.samples":
		last := &partitionLog{first: base, next: l.next, batches: l.batches[len(l.batches)-1:]}
		last.values(func(_ int64, value []byte) { s.stand(value) })
	case "driftd.state":
		w.states = append(w.states, snapshot{partition, l.next, s.kafka.log("driftd.samples", partition).next, s.kafka.log("driftd.alerts", partition).next})
	}
}

// committed looks at what a group commits.
func (w *world) committed(s *simulation, at place, c commit) {
	f := strings.Fields(c.metadata)
	if at.group != "driftd-ingest" || len(f) < 2 {
		return
	}
	o := origin{topic: at.topic, partition: at.partition}
	if _, err := hex.Decode(o.id[:], []byte(f[1])); err != nil {
		s.t.Fatalf("metadata %q of a commit: %v", c.metadata, err)
	}
	s.evidence.committed(o, c.offset)
}

// check looks at the logs when all is over.
func (s *simulation) check() verdict {
	for p := range samplesPartitions {
		s.kafka.log("driftd.samples", p).values(func(_ int64, value []byte) { s.samples[p] = append(s.samples[p], value) })
		s.kafka.log("driftd.alerts", p).values(func(_ int64, value []byte) { s.alerts[p] = append(s.alerts[p], entryAs(value)) })
	}
	v := s.evidence.check()
	for p := range samplesPartitions {
		s.checkStates(p, v.byOffset[p])
	}
	for _, r := range s.w.receivers {
		s.toldOf(r.name, r.told)
	}
	for n := range s.w.asked {
		prompt := string(rune('o' + n + 1))
		if moves := s.w.registry.moves[prompt]; moves != 1 {
			s.bad("%s was rolled back %d times", prompt, moves)
		}
	}
	return v
}

var given = []byte("driftd: state given up, started anew")

// checkStates holds that what is restored, from whatever was in the state topic at some time, goes on as if nothing had happened, and that
// nothing was saved before what it describes had been written.
func (s *simulation) checkStates(partition int, byOffset map[int64][]string) {
	var values [][]byte
	l := s.kafka.log("driftd.state", partition)
	if l.first > 0 || l.next == 0 {
		return
	}
	l.values(func(_ int64, value []byte) { values = append(values, value) })
	steps := map[string]int64{} // where they were written first
	for offset, a := range s.alerts[partition] {
		if _, ok := steps[a.value]; !ok {
			steps[a.value] = int64(offset)
		}
	}
	var all []snapshot
	for _, at := range s.w.states {
		if at.partition == partition {
			all = append(all, at)
		}
	}
	if len(all) > 0 {
		at := all[s.look.IntN(len(all))]
		f := windows.NewFinder()
		for _, v := range values[:at.records] {
			if f.Add(v); bytes.Equal(v, given) {
				f = windows.NewFinder()
			}
		}
		cp, ok := f.Best()
		if !ok {
			return
		}
		p, offset, err := detector.RestorePartition(detectOptions(), cp, func(offsets []int64, each func([]byte) error) error {
			for _, o := range offsets {
				if err := each(values[o]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.bad("the state of partition %d, %d records long, cannot be restored: %v", partition, at.records, err)
			return
		}
		if offset > at.samples {
			s.bad("a checkpoint of partition %d goes on at %d of %d samples records", partition, offset, at.samples)
		}
		for o, value := range s.samples[partition] {
			if o := int64(o); o < offset {
				for _, step := range byOffset[o] {
					if where, ok := steps[step]; !ok || where >= at.steps {
						s.bad("a checkpoint of partition %d at %d was written before the step %s", partition, offset, step)
					}
				}
				continue
			}
			s.decode(value)
			var got []string
			for _, r := range p.Apply(&s.batch) {
				got = append(got, string(encode(&r)))
			}
			if want := byOffset[int64(o)]; !slices.Equal(got, want) {
				s.bad("restored at %d, the samples record at %d gives\n%s\nwant\n%s", offset, o, got, want)
			}
		}
	}
}
