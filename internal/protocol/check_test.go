package protocol

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/windows"
)

// wrote looks at what was written, while it can be told where everything else stood.
func (w *world) wrote(s *simulation, topic string, partition int, base int64) {
	l := s.kafka.log(topic, partition)
	switch topic {
	case "driftd.samples":
		var b windows.Batch
		last := &partitionLog{first: base, next: l.next, batches: l.batches[len(l.batches)-1:]}
		last.values(func(_ int64, value []byte) {
			if err := b.Decode(value); err != nil {
				s.t.Fatal(err)
			}
			o := origin{b.Source.Topic, b.Source.Incarnation, int(b.Source.Partition)}
			if w.samples[o] == nil {
				w.samples[o] = map[int64]bool{}
			}
			for _, p := range b.Pos {
				w.samples[o][p.Offset] = true
			}
		})
	case "driftd.state":
		w.states = append(w.states, snapshot{partition, l.next, s.kafka.log("driftd.samples", partition).next, s.kafka.log("driftd.alerts", partition).next})
	}
}

// committed holds that ingest commits nothing that is not in the samples topic.
func (w *world) committed(s *simulation, at place, c commit) {
	f := strings.Fields(c.metadata)
	if at.group != "driftd-ingest" || len(f) < 2 {
		return
	}
	o := origin{topic: at.topic, partition: at.partition}
	if _, err := hex.Decode(o.id[:], []byte(f[1])); err != nil {
		s.t.Fatalf("metadata %q of a commit: %v", c.metadata, err)
	}
	for offset := range w.want[o] {
		if offset < c.offset && !w.samples[o][offset] && !w.mayLose[o][offset] {
			s.bad("%v commits %d, and the event at %d is not written", at, c.offset, offset)
		}
	}
}

// bad notes what must not be.
func (s *simulation) bad(format string, args ...any) {
	s.failed = append(s.failed, fmt.Sprintf(format, args...))
}

// verdict is what a run gave.
type verdict struct {
	steps   [samplesPartitions][]string // what a detect stage to which nothing happens makes of the samples
	doubled int                         // samples that were written more than once
	lost    int
}

// check looks at the logs when all is over.
func (s *simulation) check() (v verdict) {
	w := s.w
	counted := map[origin]map[int64]bool{}
	for p := range samplesPartitions {
		cursors := map[origin]windows.Position{}
		calm := detector.NewPartition(detectOptions())
		byOffset := map[int64][]string{} // steps, by the offset of the batch that they come of
		var b windows.Batch
		s.kafka.log("driftd.samples", p).values(func(offset int64, value []byte) {
			if err := b.Decode(value); err != nil {
				s.t.Fatal(err)
			}
			o := origin{b.Source.Topic, b.Source.Incarnation, int(b.Source.Partition)}
			for _, pos := range b.Pos {
				if pos.Less(cursors[o]) {
					v.doubled++
					continue
				}
				cursors[o] = pos.After()
				if counted[o] == nil {
					counted[o] = map[int64]bool{}
				}
				if counted[o][pos.Offset] {
					s.bad("event %d of %v counts twice", pos.Offset, o)
				}
				counted[o][pos.Offset] = true
				if _, ok := w.want[o][pos.Offset]; !ok {
					s.bad("event %d of %v counts, and should not", pos.Offset, o)
				}
			}
			for _, r := range calm.Apply(&b) {
				byOffset[offset] = append(byOffset[offset], string(encode(&r)))
				v.steps[p] = append(v.steps[p], string(encode(&r)))
			}
		})
		if n := calm.Counts(); n.Late > 0 || n.TooLate > 0 {
			s.bad("%d events of partition %d are late", n.Late+n.TooLate, p)
		}
		s.checkAlerts(p, v.steps[p])
		s.checkStates(p, byOffset)
	}
	for o, events := range w.want {
		for offset := range events {
			switch {
			case counted[o][offset]:
			case w.mayLose[o][offset]:
				v.lost++
			default:
				s.bad("event %d of %v does not count", offset, o)
			}
		}
	}
	s.checkTold()
	return v
}

// checkAlerts holds that the alerts topic has each step, the same bytes, perhaps more than once.
func (s *simulation) checkAlerts(partition int, want []string) {
	seen := map[string]bool{}
	var got []string
	s.kafka.log("driftd.alerts", partition).values(func(_ int64, value []byte) {
		r := decode(value)
		if r.Actor == "" && !seen[string(value)] {
			seen[string(value)] = true
			got = append(got, string(value))
		}
	})
	if d := difference(got, want); d != "" {
		s.bad("partition %d has other steps than its samples give: %s", partition, d)
	}
}

// difference is the first one, empty for none.
func difference(got, want []string) string {
	brief := func(of []string, i int) string {
		if i >= len(of) {
			return "nothing"
		}
		r := decode([]byte(of[i]))
		return fmt.Sprintf("%s %s of %s %s at %s with %d samples: %.1000s", r.Type, r.Rule, r.Prompt, r.Cohort, r.Time.Format(time.TimeOnly), r.Samples, of[i])
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("of %d and %d number %d is\n%s\nwant\n%s", len(got), len(want), i, brief(got, i), brief(want, i))
		}
	}
	return ""
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
	s.kafka.log("driftd.alerts", partition).values(func(offset int64, value []byte) {
		if _, ok := steps[string(value)]; !ok {
			steps[string(value)] = offset
		}
	})
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
		var b windows.Batch
		s.kafka.log("driftd.samples", partition).values(func(o int64, value []byte) {
			if o < offset {
				for _, step := range byOffset[o] {
					if where, ok := steps[step]; !ok || where >= at.steps {
						s.bad("a checkpoint of partition %d at %d was written before the step %s", partition, offset, step)
					}
				}
				return
			}
			if err := b.Decode(value); err != nil {
				s.t.Fatal(err)
			}
			var got []string
			for _, r := range p.Apply(&b) {
				got = append(got, string(encode(&r)))
			}
			if d := difference(got, byOffset[o]); d != "" {
				s.bad("restored at %d, the samples record at %d gives others: %s", offset, o, d)
			}
		})
	}
}

// checkTold holds that receivers know what fires, and that rollbacks took place once.
func (s *simulation) checkTold() {
	state := map[string]detector.RecordType{}
	for p := range samplesPartitions {
		s.kafka.log("driftd.alerts", p).values(func(_ int64, value []byte) {
			if r := decode(value); r.Type == detector.Firing || r.Type == detector.Resolved {
				state[r.ID] = r.Type
			}
		})
	}
	for _, r := range s.w.receivers {
		for id, is := range state {
			if is == detector.Firing && r.told[id] != detector.Firing {
				s.bad("%s was not told that %s fires, but %q", r.name, id, r.told[id])
			}
			if is == detector.Resolved && r.told[id] == detector.Firing {
				s.bad("%s was not told that %s is over", r.name, id)
			}
		}
	}
	for n := range s.w.asked {
		prompt := string(rune('o' + n + 1))
		if moves := s.w.registry.moves[prompt]; moves != 1 {
			s.bad("%s was rolled back %d times", prompt, moves)
		}
	}
}
