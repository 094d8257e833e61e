package consumer

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/driftd/driftd/windows"
)

const (
	minute = int64(time.Minute)

	// stride is the most event time by which a feed's watermark moves at once, ns: over a gap in the events rules tick all the
	// same, and whoever waits for them wants to hear of it.
	stride = 15 * minute

	// latest is the year 2100 in Unix ns: no feed goes on to there minute by minute for an event in a wrong unit.
	latest = 4102444800e9
)

// Feed is ingest without the log around it: it takes the records of one source partition in order and gives the samples batches
// that a Worker writes for them, by the code that a Worker runs. It does no I/O, starts nothing and is owned by one goroutine.
//
// Records that were kept have no ingest clock. The newest event time stands for it, so that no event before the year 2100 is from
// the future. The watermark goes as it does where ingest keeps up with its producers: all samples partitions learn of it as soon as
// it has passed a minute, behind all that came before. So what is late is a function of the records and their order: an event whose
// minute was over, by the newest event time less the allowed disorder, when it came.
//
//	f.Add(&rec)
//	for fed := f.Next(); fed != nil; fed = f.Next() { … }
type Feed struct {
	source *source
	now    int64 // newest event time, Unix ns
	nowAt  int64 // offset of the record that has it
	passed int64 // minutes before this one, as Unix minutes, are over as far as batches have told
	oldest int64 // event time; MaxInt64 before the first
	ended  bool
	lag    Lag
}

// Lag says what came behind the watermark: events whose minute was over already.
type Lag struct {
	Events uint64
	First  int64 // offset of the first one
	Behind int64 // offset of the record with the newest event time then
	By     time.Duration
	Most   time.Duration // by which any was behind the newest event time
}

// Fed is what came of some records.
type Fed struct {
	Batches   []FedBatch // those of one samples partition in their order
	Refused   []Refusal  // what a Worker would have written as dead letters, in order
	Counts    FeedCounts
	Watermark time.Time // that all samples partitions have heard of; zero before the first

	round *round
}

// FedBatch is an encoded windows.Batch. It is good until the Fed is given back.
type FedBatch struct {
	Partition int // of the samples topic
	Data      []byte
}

// Refusal says why a record, or an event in it, is not counted. No text of it stands in the detail.
type Refusal struct {
	Offset int64
	Fault
}

// FeedCounts count what became of events.
type FeedCounts struct {
	Records    uint64 // that were not empty
	Samples    uint64 // calls
	Scores     uint64
	Promptless uint64 // calls that neither name a prompt nor are linked to one
	NoCalls    uint64 // spans that are no model calls
}

// NewFeed makes a feed of a topic's records for so many samples partitions, the one of a prompt by partition. Of cfg it needs
// Encodings and minds Dimensions, Lists, Scales, Linking, all of whose memory it may take, and Disorder.
func NewFeed(cfg Config, topic SourceTopic, partitions int, partition func(prompt string) int) (*Feed, error) {
	format, ok := cfg.Encodings[topic.Encoding]
	if !ok {
		return nil, fmt.Errorf("feed events: unknown encoding %q", topic.Encoding)
	}
	attrs, err := NewAttributes(AttributeOptions{Preset: topic.Preset, Dimensions: cfg.Dimensions, Lists: cfg.Lists})
	if err != nil {
		return nil, fmt.Errorf("feed events: %w", err)
	}
	disorder := cfg.Disorder
	if disorder <= 0 {
		disorder = defaultDisorder
	}
	c := sourceConfig{
		id: windows.Source{Topic: topic.Topic}, decoder: format.New(attrs), unwrap: topic.Unwrap,
		private: true, // nobody keeps the letters
		dims:    attrs.Dimensions(), scales: cfg.Scales, partitions: partitions, partition: partition, disorder: disorder,
		known: knownBytes,
	}
	if topic.Dedup > 0 {
		c.dedup = newDedup(topic.Dedup, cfg.Linking.Memory)
	}
	if cfg.Linking.Horizon > 0 {
		c.part = newLinker(cfg.Linking, disorder, 1, 1, func() []string { return nil }).join(topic.Topic)
	}
	f := &Feed{source: newSource(c), oldest: math.MaxInt64}
	f.source.take = f.one
	return f, nil
}

// Add takes a record; offsets rise. What came of those before must have been taken out by Next.
func (f *Feed) Add(rec *Record) { f.source.add(rec, f.now) }

// Refuse counts a record that cannot even be offered, with what is wrong about it.
func (f *Feed) Refuse(offset int64, r Reason, detail string) {
	s := f.source
	s.building.counted.records++
	s.building.counted.dead[r]++
	s.building.bury(letter(s.id, offset, Fault{r, detail}, f.now))
	s.next = offset + 1
}

// one takes an event of the record at hand.
func (f *Feed) one(e *Event) {
	s := f.source
	if e.Time > f.now && e.Time < latest && e.Fault.Reason == Fine {
		f.now, f.nowAt, s.sampler.now = e.Time, s.rec.Offset, e.Time
	}
	s.one(e)
	if e.Fault.Reason == Fine {
		f.oldest = min(f.oldest, e.Time)
		if e.Time < f.passed*minute {
			f.late(e.Time)
		}
	}
}

func (f *Feed) late(at int64) {
	by := time.Duration(f.now - at)
	if f.lag.Events == 0 {
		f.lag.First, f.lag.Behind, f.lag.By = f.source.rec.Offset, f.nowAt, by
	}
	f.lag.Events++
	f.lag.Most = max(f.lag.Most, by)
}

// End says that no more records come: what waits for a link goes without one, and the watermark goes on to the end of the last
// event's minute, so that it is sealed and judged. So a Worker does when the clock has moved on and no further event has come.
func (f *Feed) End() {
	f.source.end(f.now)
	f.ended = true
}

// Next gives what is to be applied before the next record is added; nil when there is nothing yet. What it gives must be given
// back to Recycle, by the goroutine that calls Next.
func (f *Feed) Next() *Fed {
	s := f.source
	if s.full() {
		fed := f.cut()
		s.release(f.now)
		return fed
	}
	to := s.left() - int64(s.disorder)
	if f.ended {
		to = (s.newest/minute + 1) * minute
	}
	if to < (f.passed+1)*minute || s.left() == 0 {
		if f.ended && s.begun() {
			return f.cut()
		}
		return nil
	}
	if s.watermark > 0 {
		to = min(to, s.watermark+stride)
	}
	s.watermark, f.passed = to, to/minute
	for i := range s.lanes {
		s.lanes[i].due = true
	}
	return f.cut()
}

// Lag tells what has come late so far.
func (f *Feed) Lag() Lag { return f.lag }

// Times are those of the oldest and the newest event so far; zero before the first.
func (f *Feed) Times() (oldest, newest time.Time) {
	if f.source.newest == 0 || f.oldest == math.MaxInt64 {
		return oldest, newest
	}
	return time.Unix(0, f.oldest).UTC(), time.Unix(0, f.source.newest).UTC()
}

// cut ends the round.
func (f *Feed) cut() *Fed {
	r := f.source.close(f.now)
	fed := &Fed{round: r}
	if r.watermark > 0 {
		fed.Watermark = time.Unix(0, r.watermark).UTC()
	}
	n := &r.counted
	fed.Counts = FeedCounts{
		Records: n.records - n.tombstones, Samples: n.samples, Scores: n.scores, Promptless: n.unlinked, NoCalls: n.notInferences,
	}
	fed.Batches = make([]FedBatch, 0, r.batches)
	for i := range r.waves {
		for j := range r.waves[i].messages {
			switch m := &r.waves[i].messages[j]; {
			case m.dead:
				fed.Refused = append(fed.Refused, m.refusal())
			default:
				fed.Batches = append(fed.Batches, FedBatch{m.partition, m.value})
			}
		}
	}
	return fed
}

// Recycle takes back what Next gave; its batches end with that.
func (f *Feed) Recycle(fed *Fed) { f.source.recycle(fed.round) }

// refusal reads a dead letter's headers.
func (m *message) refusal() (r Refusal) {
	for _, h := range m.headers {
		switch h.key {
		case headerOffset:
			r.Offset, _ = strconv.ParseInt(string(h.value), 10, 64)
		case headerReason:
			r.Reason, _ = ParseReason(string(h.value))
		case headerDetail:
			r.Detail = string(h.value)
		}
	}
	return r
}
