package consumer

import (
	"time"

	"github.com/driftd/driftd/windows"
)

// Core is the pure core of a source partition, for tests that need real encodings, whose packages import this one.
type Core struct{ s *source }

// CoreConfig is what a Core is made with.
type CoreConfig struct {
	Source     windows.Source
	Decoder    Decoder
	Dimensions []string
	Scales     Scales
	Partitions int
	Partition  func(string) int
	Start, Now int64
}

// Letter is a dead letter.
type Letter struct {
	Value   []byte
	Headers map[string]string
}

// Sealed is a batch for a samples partition.
type Sealed struct {
	Partition int
	Value     []byte
}

func NewCore(c CoreConfig) *Core {
	return &Core{newSource(sourceConfig{
		id: c.Source, decoder: c.Decoder, dims: c.Dimensions, scales: c.Scales, partitions: c.Partitions, partition: c.Partition,
		disorder: 10 * time.Second, idle: 15 * time.Second, start: c.Start, now: c.Now,
	})}
}

func (c *Core) Add(offset int64, value []byte, now int64) {
	c.s.add(&Record{Offset: offset, Value: value}, now)
}
func (c *Core) Full() bool                      { return c.s.full() }
func (c *Core) Beat(announced []windows.Source) { c.s.beat(announced) }

// Cut ends the round: the batches and dead letters by wave.
func (c *Core) Cut(now int64, atEnd bool) (waves [][]Sealed, dead []Letter, next int64) {
	r := c.s.cut(now, atEnd)
	if r == nil {
		return nil, nil, c.s.next
	}
	for _, w := range r.waves {
		var batches []Sealed
		for _, m := range w.messages {
			if !m.dead {
				batches = append(batches, Sealed{m.partition, append([]byte(nil), m.value...)})
				continue
			}
			l := Letter{Value: m.value, Headers: map[string]string{}}
			for _, h := range m.headers {
				l.Headers[h.key] = string(h.value)
			}
			dead = append(dead, l)
		}
		waves = append(waves, batches)
	}
	next = r.next
	c.s.recycle(r)
	return waves, dead, next
}

// Drop ends the round and throws it away.
func (c *Core) Drop(now int64) {
	if r := c.s.cut(now, false); r != nil {
		c.s.recycle(r)
	}
}

func (c *Core) Broken(from, next int64, detail string, now int64) {
	c.s.broken(from, next, detail, now)
}
