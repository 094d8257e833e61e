package protocol

import (
	"slices"
	"sync"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/internal/kafkalog"
)

// reading is ingest with one source partition, or one that believes so.
type reading struct {
	core *consumer.Partition
	log  *sourceLog
	dead bool

	round *consumer.Round       // that is written
	left  []consumer.FedBatch   // of the wave at hand, not acknowledged
	waves [][]consumer.FedBatch // that come after it
}

// read gives a source partition to another worker. The one before is a zombie from now on, unless it is dead.
func (w *cores) read(i int) {
	l := w.sources[i]
	r := &reading{log: l}
	var at consumer.Commit
	r.core, at = consumer.NewPartition(consumer.PartitionConfig{
		Topic: l.topic, TopicID: l.id, Partition: i, First: l.first, Next: int64(len(l.events)), Committed: l.committed, Copy: l.copied,
		Decoder: driftdjson.New(attributes()), Dimensions: windowOptions.Dimensions, Partitions: len(w.detect),
		Of: func(prompt string) int { return kafkalog.PartitionFor(prompt, len(w.detect)) }, Now: w.now.UnixNano(),
	})
	l.committed, l.copied = at, at
	r.core.Beat(w.announced())
	w.ingest[i] = append(slices.DeleteFunc(w.ingest[i], func(r *reading) bool { return r.dead }), r)
}

// goOn lets ingest do one thing.
func (w *cores) goOn(r *reading) bool {
	now, next := w.now.UnixNano(), int64(len(r.log.events))
	more := r.core.Next() < next
	switch {
	case r.dead:
		return false
	case r.round != nil && (!more || w.pick(2) == 0): // more is read meanwhile
		w.write(r)
	case more && (r.round != nil || w.pick(4) != 1):
		for range 1 + w.pick(6) {
			if at := r.core.Next(); at < next {
				r.core.Add(&consumer.Record{Offset: at, Value: []byte(r.log.events[at].value)}, now)
			}
		}
	default:
		if r.round = r.core.Cut(now, !more); r.round == nil {
			return false
		}
		r.waves = r.round.Waves
	}
	return true
}

// write sends a batch of the wave at hand, or commits when all waves are acknowledged.
func (w *cores) write(r *reading) {
	if len(r.left) == 0 {
		if len(r.waves) == 0 {
			w.commit(r)
			return
		}
		r.left, r.waves = slices.Clone(r.waves[0]), r.waves[1:]
		return
	}
	i := w.pick(len(r.left))
	b := r.left[i]
	data := slices.Clone(b.Data)
	if w.append(w.outcome(), func() { w.put(b.Partition, data) }, func() { w.kill(r) }) {
		r.left = slices.Delete(r.left, i, i+1)
	}
}

// kill ends a process as SIGKILL does.
func (w *cores) kill(r *reading) {
	r.dead = true
	if i := r.log.partition; w.last(i) == r {
		w.read(i)
	}
}

// append writes, or not, and tells whether that is acknowledged.
func (w *cores) append(o outcome, do, die func()) bool {
	switch o {
	case fine:
		do()
	case doubled:
		do()
		do()
	case unanswered:
		do()
	case delayed:
		w.late = append(w.late, do)
	case diesBefore:
		die()
	case diesAfter:
		do()
		die()
	}
	return o == fine || o == doubled
}

// put appends to the samples topic.
func (w *cores) put(partition int, data []byte) {
	w.stand(data)
	w.samples[partition] = append(w.samples[partition], data)
}

// commit stores what is done, unless another has the partition: whoever hears of that may go on a little before it gives up.
func (w *cores) commit(r *reading) {
	l, at := r.log, r.round.Commit
	r.core.Recycle(r.round)
	r.round = nil
	if w.last(l.partition) != r {
		r.dead = w.pick(2) == 0
		return
	}
	w.append(w.outcome().once(), func() {
		l.committed = at
		w.evidence.committed(l.origin, at.Offset)
		if w.pick(2) == 0 { // now and then
			l.copied = at
		}
	}, func() { w.kill(r) })
}

// attributes are made once: they are only read.
var attributes = sync.OnceValue(func() *consumer.Attributes {
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}}})
	if err != nil {
		panic(err)
	}
	return attrs
})
