package protocol

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
)

// cluster is Kafka: topics of logs, and what groups have committed. Only the scheduler touches it.
type cluster struct {
	lie       lie
	topics    map[string]*topic
	committed map[place]commit
	ids       byte
}

// lie is a promise of Kafka's that does not hold.
type lie int

const (
	none      lie = iota
	forgets       // some of what is acknowledged is not written
	overtaken     // of what is sent in order, some comes later than what was sent after it
	sameID        // a topic that is made again has the id of the one before
)

type topic struct {
	id    [16]byte
	parts []*partitionLog
}

// partitionLog holds record batches as they were written.
type partitionLog struct {
	first, next int64
	batches     []batch
}

type batch struct {
	base  int64
	n     int
	at    int64 // Unix ms
	bytes []byte
}

// place is a partition as a group sees it.
type place struct {
	group, topic string
	partition    int
}

type commit struct {
	offset   int64
	metadata string
}

func newCluster() *cluster {
	return &cluster{topics: map[string]*topic{}, committed: map[place]commit{}}
}

func (c *cluster) create(name string, partitions int) {
	c.ids++
	t := &topic{id: [16]byte{c.ids, 7}}
	if was := c.topics[name]; was != nil && c.lie == sameID {
		t.id = was.id
	}
	for range partitions {
		t.parts = append(t.parts, &partitionLog{})
	}
	c.topics[name] = t
}

func (c *cluster) log(topic string, partition int) *partitionLog {
	return c.topics[topic].parts[partition]
}

// append gives a batch its base offset.
func (l *partitionLog) append(raw []byte, n int, at int64) int64 {
	b := batch{base: l.next, n: n, at: at, bytes: slices.Clone(raw)}
	binary.BigEndian.PutUint64(b.bytes, uint64(b.base))
	l.batches = append(l.batches, b)
	l.next += int64(n)
	return b.base
}

// read returns at most so many batches from offset on.
func (l *partitionLog) read(offset int64, most int) (out []byte) {
	for i := range l.batches {
		if b := &l.batches[i]; b.base+int64(b.n) > offset && most > 0 {
			out = append(out, b.bytes...)
			most--
		}
	}
	return out
}

// cut is what retention does.
func (l *partitionLog) cut(first int64) {
	l.first = max(l.first, first)
	l.batches = slices.DeleteFunc(l.batches, func(b batch) bool { return b.base+int64(b.n) <= l.first })
}

// values are the records of the log, by offset.
func (l *partitionLog) values(each func(offset int64, value []byte)) {
	for _, b := range l.batches {
		c := kafkalog.Over(&still{b.bytes, b.base + int64(b.n)}, quiet)
		got, err := c.NewFetcher("", 0).Fetch(context.Background(), b.base, 0)
		if err != nil {
			panic(err)
		}
		for got.Next() {
			if r := got.Record(); r.Offset >= l.first {
				each(r.Offset, slices.Clone(r.Value))
			}
		}
		if err := got.Err(); err != nil {
			panic(err)
		}
	}
}

// still is a log of one batch.
type still struct {
	bytes []byte
	end   int64
}

var errStill = errors.New("it is only read")

func (s *still) Topics(context.Context, []string) (map[string]kafkalog.Topic, error) {
	return nil, errStill
}
func (s *still) Bounds(context.Context, string, int) (int64, int64, error)   { return 0, 0, errStill }
func (s *still) OffsetAt(context.Context, string, int, int64) (int64, error) { return 0, errStill }
func (s *still) Write(context.Context, []kafkalog.Parcel)                    {}
func (s *still) Committed(context.Context, string, string, int) (int64, string, error) {
	return 0, "", errStill
}
func (s *still) CommitApart(context.Context, string, []kafkalog.Offset) error { return errStill }
func (s *still) Read(context.Context, string, [16]byte, int, int64, time.Duration) ([]byte, int64, int64, error) {
	return s.bytes, 0, s.end, nil
}
func (s *still) Join(context.Context, kafkalog.GroupConfig, func(context.Context, string, int, kafkalog.CommitFunc) error) error {
	return errStill
}

// view is the cluster as a process sees it: each call waits until the scheduler lets it happen, or not.
type view struct {
	s *simulation
	p *process
}

func (v *view) Topics(ctx context.Context, names []string) (found map[string]kafkalog.Topic, err error) {
	err = v.p.ask(ctx, &call{what: "topics " + fmt.Sprint(names), do: func(outcome) {
		found = map[string]kafkalog.Topic{}
		for _, n := range names {
			if t := v.s.kafka.topics[n]; t != nil {
				found[n] = kafkalog.Topic{Name: n, ID: t.id, Partitions: len(t.parts)}
			}
		}
	}})
	return found, err
}

func (v *view) Bounds(ctx context.Context, topic string, partition int) (first, next int64, err error) {
	err = v.p.ask(ctx, &call{what: fmt.Sprint("bounds ", topic, partition), do: func(outcome) {
		l := v.s.kafka.log(topic, partition)
		first, next = l.first, l.next
	}})
	return first, next, err
}

func (v *view) OffsetAt(ctx context.Context, topic string, partition int, at int64) (offset int64, err error) {
	err = v.p.ask(ctx, &call{what: fmt.Sprint("offset at ", topic, partition), do: func(outcome) {
		l := v.s.kafka.log(topic, partition)
		offset = l.next
		for _, b := range slices.Backward(l.batches) {
			if b.at >= at {
				offset = max(b.base, l.first)
			}
		}
	}})
	return offset, err
}

// rare is how often it is tossed up whether something goes wrong that is seldom done.
const rare = 6

var errBroken = errors.New("the connection broke")

func (v *view) Write(ctx context.Context, parcels []kafkalog.Parcel) {
	what := "write"
	for i := range parcels {
		what += fmt.Sprint(" ", parcels[i].Topic, parcels[i].Partition)
	}
	tosses := 1
	if parcels[0].Topic == "driftd.alerts" {
		tosses = rare
	}
	now := v.s.now().UnixMilli()
	err := v.p.ask(ctx, &call{what: what, faulty: tosses, do: func(o outcome) {
		for i := range parcels {
			p := &parcels[i]
			if i > 0 && o != fine { // each leader answers for itself
				o = v.s.outcome(v.p)
			}
			times := 1
			if p.Topic == "driftd.samples" && v.s.lies() {
				switch v.s.kafka.lie {
				case forgets:
					times, p.Base = 0, v.s.kafka.log(p.Topic, p.Partition).next
				case overtaken:
					v.s.later(p, now)
					times, p.Base = 0, v.s.kafka.log(p.Topic, p.Partition).next
				}
			}
			switch o {
			case refused, diesBefore:
				times, p.Err = 0, errBroken
			case doubled:
				times = 2
			case unanswered, diesAfter:
				p.Err = errBroken
			case delayed:
				times, p.Err = 0, errBroken
				v.s.later(p, now)
			}
			for range times {
				p.Base = v.s.kafka.log(p.Topic, p.Partition).append(p.Batch, p.Records, now)
				v.s.w.wrote(v.s, p.Topic, p.Partition, p.Base)
			}
		}
	}})
	for i := range parcels {
		if err != nil && parcels[i].Err == nil {
			parcels[i].Err = err
		}
	}
}

// later writes a parcel some time.
func (s *simulation) later(p *kafkalog.Parcel, at int64) {
	raw := slices.Clone(p.Batch)
	topic, partition, n := p.Topic, p.Partition, p.Records
	s.late = append(s.late, func() {
		s.w.wrote(s, topic, partition, s.kafka.log(topic, partition).append(raw, n, at))
	})
}

// lies tells whether a promise is broken now.
func (s *simulation) lies() bool {
	return s.kafka.lie != none && !s.quietly && s.faults > 0 && s.pick(12) == 1
}

func (v *view) Read(ctx context.Context, topic string, id [16]byte, partition int, offset int64, wait time.Duration) (batches []byte, first, next int64, err error) {
	var gone error
	log := func() *partitionLog { return v.s.kafka.log(topic, partition) }
	other := func() bool { return id != [16]byte{} && id != v.s.kafka.topics[topic].id }
	err = v.p.ask(ctx, &call{
		what: fmt.Sprint("read ", topic, partition), wait: max(wait, time.Millisecond), offset: offset,
		ready: func() bool { return offset != log().next || other() },
		do: func(outcome) {
			l := log()
			if other() {
				gone = kafkalog.ErrUnknownTopic
				return
			}
			if first, next = l.first, l.next; offset < first || offset > next {
				gone = &kafkalog.OutOfRangeError{Topic: topic, Partition: partition, Offset: offset, First: first, Next: next}
				return
			}
			batches = l.read(offset, 1+v.s.pick(6)*2)
		},
	})
	if err == nil {
		err = gone
	}
	return batches, first, next, err
}

func (v *view) Committed(ctx context.Context, group, topic string, partition int) (offset int64, metadata string, err error) {
	err = v.p.ask(ctx, &call{what: fmt.Sprint("committed ", topic, partition), do: func(outcome) {
		offset = -1
		if c, ok := v.s.kafka.committed[place{group, topic, partition}]; ok {
			offset, metadata = c.offset, c.metadata
		}
	}})
	return offset, metadata, err
}

func (v *view) CommitApart(ctx context.Context, group string, offsets []kafkalog.Offset) error {
	var lost error
	err := v.p.ask(ctx, &call{what: "commit apart", faulty: 1, do: func(o outcome) {
		if o.happens() {
			for _, at := range offsets {
				v.s.kafka.committed[place{group, at.Topic, at.Partition}] = commit{at.Offset, at.Metadata}
			}
		}
		if o != fine && o != doubled {
			lost = errBroken
		}
	}})
	if err == nil {
		err = lost
	}
	return err
}

// commit stores an offset unless the partition is another's.
func (v *view) commit(ctx context.Context, m *member, at place, c commit) error {
	var lost error
	err := v.p.ask(ctx, &call{what: fmt.Sprint("commit ", at.topic, at.partition), faulty: 1, do: func(o outcome) {
		if v.s.owners[at] == nil || v.s.owners[at].member != m {
			lost = kafkalog.ErrNotOwner
			return
		}
		if o.happens() {
			v.s.kafka.committed[at] = c
			v.s.w.committed(v.s, at, c)
		}
		if o != fine && o != doubled {
			lost = errBroken
		}
	}})
	if err == nil {
		err = lost
	}
	return err
}
