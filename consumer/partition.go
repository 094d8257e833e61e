package consumer

import (
	"time"

	"github.com/driftd/driftd/windows"
)

// Partition is ingest of one source partition without the log around it: records in, rounds of samples batches out, and what to
// commit for each. A Worker does the same by the same code; this is for tests that play the log and all that can happen around it.
// Nothing is linked. It belongs to one goroutine.
//
// A round's waves are to be written one after the other, each as often as it takes, and then its offset is committed; only then comes
// the next round.
type Partition struct {
	source *source
	begun  beginning
}

// PartitionConfig is what a Partition is made with. All of it must be set, but for the copy.
type PartitionConfig struct {
	Topic       string
	TopicID     [16]byte
	Partition   int
	First, Next int64 // bounds of the log
	Committed   Commit
	Copy        Commit // of what was committed before

	Decoder    Decoder
	Dimensions []string
	Partitions int // of the samples topic
	Of         func(prompt string) int
	Now        int64 // the ingest worker's clock, Unix ns
}

// Commit is what a group has stored of a partition: the offset to go on from, -1 for nothing.
type Commit struct {
	Offset   int64
	Metadata string
}

// Round is what goes out together. It is good until it is given back.
type Round struct {
	Waves  [][]FedBatch
	Commit Commit
	round  *round
}

// NewPartition goes on from what was committed, by the log as it is. Commit of what it returns comes before the first record.
func NewPartition(c PartitionConfig) (*Partition, Commit) {
	b := resume(c.TopicID, committed{c.Committed.Offset, c.Committed.Metadata}, committed{c.Copy.Offset, c.Copy.Metadata}, c.First, c.Next)
	s := newSource(sourceConfig{
		id: windows.Source{Topic: c.Topic, Partition: int32(c.Partition), Incarnation: b.incarnation()}, decoder: c.Decoder, dims: c.Dimensions,
		partitions: c.Partitions, partition: c.Of, disorder: defaultDisorder, idle: 15 * time.Second, start: b.offset, from: b.offset, now: c.Now,
	})
	return &Partition{s, b}, Commit{b.offset, b.metadata()}
}

// Source is what its samples carry.
func (p *Partition) Source() windows.Source { return p.source.id }

// Next is the offset to be read.
func (p *Partition) Next() int64 { return p.source.next }

// Add takes the record at Next.
func (p *Partition) Add(rec *Record, now int64) { p.source.add(rec, now) }

// Beat makes the next round a heartbeat too.
func (p *Partition) Beat(announced []windows.Source) { p.source.beat(announced) }

// Cut ends a round; nil when there is nothing to write or to commit. atEnd says that the log has been read to its end.
func (p *Partition) Cut(now int64, atEnd bool) *Round {
	r := p.source.cut(now, atEnd)
	if r == nil {
		return nil
	}
	out := &Round{Waves: make([][]FedBatch, len(r.waves)), Commit: Commit{r.next, p.begun.metadata()}, round: r}
	for i := range r.waves {
		for _, m := range r.waves[i].messages {
			if !m.dead {
				out.Waves[i] = append(out.Waves[i], FedBatch{m.partition, m.value})
			}
		}
	}
	return out
}

// Recycle takes back a round that has been written.
func (p *Partition) Recycle(r *Round) { p.source.recycle(r.round) }
