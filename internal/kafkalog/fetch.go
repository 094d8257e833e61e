package kafkalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// fetchVersion is known to every broker from Kafka 2.3 to 4.x.
	fetchVersion = 11
	// fetchByID is the version that names topics by their ids, known to brokers from Kafka 3.1.
	fetchByID = 13
	// fetchBytes is what one Fetch asks for at most. A single record batch may be larger and comes whole.
	fetchBytes = 1 << 20

	readCommitted = 1
)

// Header is a record's header. Value may be nil.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of a log. Key, Value and Headers alias the fetcher's buffer: they are valid until that fetcher's next Fetch,
// Headers only until the next call of Next. Key and Value are nil for null.
type Record struct {
	Offset  int64
	Time    int64 // Unix milliseconds; the broker's clock where the topic says LogAppendTime, else the producer's
	Key     []byte
	Value   []byte
	Headers []Header
}

// Fetcher reads one partition. It is owned by one goroutine and keeps its buffers from one Fetch to the next.
type Fetcher struct {
	client    *Client
	topic     string
	partition int
	id        [16]byte // of the topic; zero: whatever has its name
	asked     bool     // whether the leader knows fetchByID
	req       kmsg.FetchRequest
	res       kmsg.FetchResponse
	out, in   []byte
	fetched   Fetched
}

// NewFetcher returns a reader of a partition. It does no I/O and needs no closing.
func (c *Client) NewFetcher(topic string, partition int) *Fetcher {
	f := &Fetcher{client: c, topic: topic, partition: partition}
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.PartitionMaxBytes = int32(partition), fetchBytes
	p.CurrentLeaderEpoch, p.LogStartOffset = -1, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = topic, []kmsg.FetchRequestTopicPartition{p}
	f.req = kmsg.NewFetchRequest()
	f.req.Version, f.req.ReplicaID, f.req.MinBytes, f.req.MaxBytes = fetchVersion, -1, 1, fetchBytes
	f.req.SessionEpoch, f.req.IsolationLevel = -1, readCommitted
	f.req.Topics = []kmsg.FetchRequestTopic{t}
	return f
}

// Pin makes f read the topic of this id and no other: one of the same name that was made after it is answered with ErrUnknownTopic,
// even where it holds the offset. The zero id, and brokers before Kafka 3.1, go by the name alone. It returns f.
func (f *Fetcher) Pin(id [16]byte) *Fetcher {
	f.id, f.asked = id, false
	f.req.Version, f.req.Topics[0].TopicID = fetchVersion, id
	return f
}

// Fetch reads from offset. When nothing is there it waits up to maxWait for something; ctx ends that wait at once. What it returns is
// valid until the next Fetch. Records of aborted transactions are left out.
//
// Errors to match: *OutOfRangeError, ErrUnknownTopic. All others are worth trying again after Backoff.
func (f *Fetcher) Fetch(ctx context.Context, offset int64, maxWait time.Duration) (*Fetched, error) {
	c := f.client
	if c.cluster != nil {
		return f.take(ctx, offset, maxWait)
	}
	f.req.MaxWaitMillis = int32(max(maxWait, 0) / time.Millisecond)
	f.req.Topics[0].Partitions[0].FetchOffset = offset
	var body []byte
	err := c.send(ctx, maxWait+requestTimeout, &exchange{
		key: int16(kmsg.Fetch),
		route: func(layout protocol.Cluster) (int32, error) {
			return leader(layout, f.topic, int32(f.partition))
		},
		talk: func(rw io.ReadWriter) (err error) {
			if err := f.agree(rw); err != nil {
				return err
			}
			var serial int32
			f.out, serial = c.encode(f.out[:0], &f.req)
			body, err = ask(rw, f.out, serial, f.req.IsFlexible(), &f.in)
			return err
		},
	})
	if err != nil {
		f.asked = false // the next answer may be another broker's
	}
	if err == nil {
		err = f.open(body, offset)
		c.note(err)
	}
	if errors.Is(err, kafka.OffsetOutOfRange) {
		first, next, berr := c.Bounds(ctx, f.topic, f.partition)
		if berr == nil {
			return nil, &OutOfRangeError{Topic: f.topic, Partition: f.partition, Offset: offset, First: first, Next: next}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("fetch %s[%d]@%d: %w", f.topic, f.partition, offset, err)
	}
	return &f.fetched, nil
}

// agree finds out by which version to ask.
func (f *Fetcher) agree(rw io.ReadWriter) error {
	if f.asked || f.id == [16]byte{} {
		return nil
	}
	version, err := f.client.newest(rw, kmsg.Fetch, fetchByID)
	if err != nil {
		return err
	}
	if version < fetchByID {
		version = fetchVersion
	}
	f.req.Version, f.asked = version, true
	return nil
}

// open decodes the frame of an answer; the records themselves are walked by Fetched.
func (f *Fetcher) open(body []byte, offset int64) error {
	f.res = kmsg.FetchResponse{Version: f.req.Version}
	if err := f.res.UnsafeReadFrom(body); err != nil { // aliases f.in
		return fmt.Errorf("decode answer: %w", err)
	}
	if err := answer(f.res.ErrorCode); err != nil {
		return err
	}
	if len(f.res.Topics) != 1 || len(f.res.Topics[0].Partitions) != 1 {
		return errors.New("decode answer: it is not about the one partition asked for")
	}
	p := &f.res.Topics[0].Partitions[0]
	if err := answer(p.ErrorCode); err != nil {
		return err
	}
	end := p.HighWatermark
	if p.LastStableOffset >= 0 {
		end = min(end, p.LastStableOffset)
	}
	f.fetched.aborted = nil
	for _, a := range p.AbortedTransactions {
		f.fetched.aborted = append(f.fetched.aborted, abortedTxn{producer: a.ProducerID, first: a.FirstOffset})
	}
	slices.SortFunc(f.fetched.aborted, func(a, b abortedTxn) int { return cmp.Compare(a.first, b.first) })
	f.fetched.reset(f.topic, f.partition, p.RecordBatches, offset, end, p.LogStartOffset)
	return nil
}
