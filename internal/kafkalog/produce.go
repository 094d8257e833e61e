package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// produceVersion is known to every broker from Kafka 2.4 to 4.x.
	produceVersion = 8

	allReplicas = -1
)

// Message is a record to be written. Key and Value nil are null. The zero Time is the wall clock's now.
type Message struct {
	Topic     string
	Partition int
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time
}

// parcel is all that one Produce has for one partition.
type parcel struct {
	topic     string
	partition int32
	at        []int // positions in msgs
	from, to  int   // its batch in the shared buffer
	batch     []byte
	base      int64
	err       error
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Produce writes msgs, in their order within each partition, and returns when all in-sync replicas have them. Each partition's
// messages are one record batch, each leader gets one request, and nothing is sent again after a failure. offsets[i] is where
// msgs[i] is, -1 where that is unknown. When only some partitions were written, or none, the error is a *ProduceError; a batch
// above the broker's limit (1 MiB unless configured) matches ErrTooLarge there. It keeps nothing of msgs when it returns.
func (c *Client) Produce(ctx context.Context, msgs []Message) (offsets []int64, err error) {
	if len(msgs) == 0 {
		return nil, nil
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	var parcels []*parcel
	parcels, *buf = pack(msgs, (*buf)[:0])
	if cap(*buf) > spare {
		defer func() { *buf = nil }()
	}

	if c.cluster != nil {
		c.hand(ctx, parcels)
	} else {
		c.deliver(ctx, parcels)
	}

	offsets = make([]int64, len(msgs))
	failed := &ProduceError{}
	for _, p := range parcels {
		for i, at := range p.at {
			offsets[at] = p.base + int64(i)
			if p.err != nil || p.base < 0 {
				offsets[at] = -1
			}
		}
		if p.err != nil {
			failed.Failed = append(failed.Failed, PartitionError{
				Topic: p.topic, Partition: int(p.partition), Messages: len(p.at), Bytes: len(p.batch), Err: p.err,
			})
		}
	}
	if len(failed.Failed) > 0 {
		return offsets, failed
	}
	return offsets, nil
}

// pack sorts msgs into one batch a partition, in buf.
func pack(msgs []Message, buf []byte) ([]*parcel, []byte) {
	type place struct {
		topic     string
		partition int
	}
	var parcels []*parcel
	places := make(map[place]*parcel)
	for i := range msgs {
		m := &msgs[i]
		p := places[place{m.Topic, m.Partition}]
		if p == nil {
			p = &parcel{topic: m.Topic, partition: int32(m.Partition), base: -1}
			places[place{m.Topic, m.Partition}] = p
			parcels = append(parcels, p)
		}
		p.at = append(p.at, i)
	}
	now := time.Now()
	for _, p := range parcels {
		p.from = len(buf)
		buf = appendBatch(buf, msgs, p.at, now)
		p.to = len(buf)
	}
	for _, p := range parcels {
		p.batch = buf[p.from:p.to:p.to]
	}
	return parcels, buf
}

// deliver sends every parcel to its leader and leaves the outcome in it.
func (c *Client) deliver(ctx context.Context, parcels []*parcel) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*requestTimeout, fmt.Errorf("no answer in %v: %w", 2*requestTimeout, context.DeadlineExceeded))
	defer cancel()
	if c.stale.Load() {
		c.refresh(ctx)
	}
	d := &delivery{client: c, ctx: ctx, parcels: parcels}
	_, err := c.transport.RoundTrip(ctx, c.addr, d)
	if d.shares == nil { // it did not get as far as Split
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		for _, p := range parcels {
			p.err = err
		}
	}
	for i := range d.shares {
		s := &d.shares[i]
		err := s.settle(s.lost)
		if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = context.Cause(ctx)
		}
		s.unpack(err)
	}
	for _, p := range parcels {
		c.note(p.err)
	}
}

// delivery is split by kafka-go's transport into one exchange a leader, by its picture of the cluster.
type delivery struct {
	client  *Client
	ctx     context.Context
	parcels []*parcel
	shares  []share
}

// share is what goes to one leader.
type share struct {
	exchange
	parcels []*parcel
	res     kmsg.ProduceResponse
	lost    error // why the exchange did not take place
}

func (d *delivery) ApiKey() protocol.ApiKey { return protocol.Produce }

func (d *delivery) Split(layout protocol.Cluster) ([]protocol.Message, protocol.Merger, error) {
	if len(layout.Brokers) == 0 {
		return nil, nil, errNoBroker
	}
	byLeader := make(map[int32]int)
	d.shares = make([]share, 0, len(layout.Brokers)+1)
	for _, p := range d.parcels {
		id, err := leader(layout, p.topic, p.partition)
		if err != nil {
			p.err = err
			continue
		}
		at, ok := byLeader[id]
		if !ok {
			at = len(d.shares)
			byLeader[id] = at
			d.shares = append(d.shares, share{exchange: exchange{
				ctx: d.ctx, key: int16(kmsg.Produce), done: make(chan struct{}),
				route: func(protocol.Cluster) (int32, error) { return id, nil },
			}})
		}
		d.shares[at].parcels = append(d.shares[at].parcels, p)
	}
	messages := make([]protocol.Message, len(d.shares))
	for i := range d.shares {
		s := &d.shares[i]
		s.talk = func(rw io.ReadWriter) error { return s.exchangeBatches(d.client, rw) }
		messages[i] = &s.exchange
	}
	return messages, d, nil
}

// Merge implements protocol.Merger. Outcomes are in the shares; only what kept one from starting is news.
func (d *delivery) Merge(_ []protocol.Message, results []any) (protocol.Message, error) {
	for i, r := range results {
		d.shares[i].lost, _ = r.(error)
	}
	return d, nil
}

func (s *share) exchangeBatches(c *Client, rw io.ReadWriter) error {
	req := kmsg.NewProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = produceVersion, allReplicas, int32(requestTimeout/time.Millisecond)
	at := make(map[string]int)
	for _, p := range s.parcels {
		i, ok := at[p.topic]
		if !ok {
			i = len(req.Topics)
			at[p.topic] = i
			t := kmsg.NewProduceRequestTopic()
			t.Topic = p.topic
			req.Topics = append(req.Topics, t)
		}
		part := kmsg.NewProduceRequestTopicPartition()
		part.Partition, part.Records = p.partition, p.batch
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, part)
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	out, serial := c.encode((*buf)[:0], &req)
	if *buf = out; cap(out) > spare {
		*buf = nil
	}
	var in []byte
	body, err := ask(rw, out, serial, false, &in)
	if err != nil {
		return err
	}
	s.res.Version = produceVersion
	if err := s.res.ReadFrom(body); err != nil {
		return fmt.Errorf("decode answer to Produce: %w", err)
	}
	return nil
}

// unpack spreads the answer, or the failure, over the parcels.
func (s *share) unpack(err error) {
	if err != nil {
		for _, p := range s.parcels {
			p.err = err
		}
		return
	}
	for _, p := range s.parcels {
		p.err = errors.New("the broker's answer does not mention it")
		for _, t := range s.res.Topics {
			if t.Topic != p.topic {
				continue
			}
			for _, r := range t.Partitions {
				if r.Partition == p.partition {
					p.base, p.err = r.BaseOffset, answer(r.ErrorCode)
					if p.err != nil && r.ErrorMessage != nil {
						p.err = fmt.Errorf("%w (%s)", p.err, *r.ErrorMessage)
					}
				}
			}
		}
	}
}
