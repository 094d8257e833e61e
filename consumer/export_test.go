package consumer

import (
	"cmp"
	"time"

	"github.com/driftd/driftd/windows"
)

// Core is the pure core of a source partition, for tests that need real encodings, whose packages import this one.
type Core struct {
	s   *source
	rec Record // reused, as the worker's are
}

// CoreConfig is what a Core is made with.
type CoreConfig struct {
	Source     windows.Source
	Decoder    Decoder
	Dimensions []string
	Scales     Scales
	Partitions int
	Partition  func(string) int
	Start, Now int64

	From   int64   // where samples begin
	Fences []int64 // where the clock flushed
	Linker *Linker // nil: nothing is linked
	Again  bool    // it is the topic of events that are offered again
	Dedup  time.Duration
	Memory int64 // of dedup; 1 MiB where it is 0
}

// Linker is what cores of one partition number share.
type Linker struct{ *linker }

func NewLinker(l Linking, topics ...string) *Linker {
	return &Linker{newLinker(l, 10*time.Second, 1, len(topics), func() []string { return topics })}
}

// Stats tells how much is remembered.
func (l *Linker) Stats() (spans, bytes int) {
	s := l.stats()
	return s.spans, s.bytes
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
	var link *part
	if c.Linker != nil {
		link = c.Linker.join(c.Source.Topic)
	}
	var again *names
	if c.Again {
		again = newNames()
	}
	var once *dedup
	if c.Dedup > 0 {
		once = newDedup(c.Dedup, cmp.Or(c.Memory, 1<<20))
	}
	return &Core{s: newSource(sourceConfig{
		names: again, from: c.From, fences: c.Fences, part: link, dedup: once, home: func([]byte) bool { return true },
		id: c.Source, decoder: c.Decoder, dims: c.Dimensions, scales: c.Scales, partitions: c.Partitions, partition: c.Partition,
		disorder: 10 * time.Second, idle: 15 * time.Second, start: c.Start, now: c.Now,
	})}
}

func (c *Core) Add(offset int64, value []byte, now int64) {
	c.rec = Record{Offset: offset, Value: value}
	c.s.add(&c.rec, now)
}

// AddAt takes a record of which the log shows a time, Unix ms.
func (c *Core) AddAt(offset, at int64, value []byte, now int64) {
	c.rec = Record{Offset: offset, Time: at, Value: value}
	c.s.add(&c.rec, now)
}

// Unlinked is the calls without a prompt since the last Cut.
func (c *Core) Unlinked() uint64 { return c.s.building.counted.unlinked }

// AddNamed takes a record that names an event that is offered again.
func (c *Core) AddNamed(offset int64, name string, value []byte, now int64) {
	c.rec = Record{Offset: offset, Value: value, Headers: []Header{{Key: headerDead, Value: []byte(name)}}}
	c.s.add(&c.rec, now)
}

// Duplicates is the spans and scores that came before, since the last Cut.
func (c *Core) Duplicates() uint64 { return c.s.building.counted.duplicates }

func (c *Core) Repeated() uint64 { return c.s.building.counted.repeated }

// Tend does what a task does between records. It flushes the line where the clock says so, and tells at which offset.
func (c *Core) Tend(now int64, atEnd bool) (fence int64) {
	if c.s.stale(now, atEnd) {
		fence = c.s.next
		c.s.flush(now)
	}
	c.s.release(now)
	if atEnd { // more was asked for, and there was nothing
		c.s.ask(now)
	}
	c.s.publish(now, atEnd)
	return fence
}

func (c *Core) Stuck() bool      { return c.s.stuck() }
func (c *Core) Failing(yes bool) { c.s.part.fails(yes) }
func (c *Core) End(now int64)    { c.s.end(now) }
func (c *Core) Refencing() bool  { return len(c.s.fences) > 0 }
func (c *Core) Waiting() int     { return c.s.line.len() }

// Oldest is the offset of the first event that waits.
func (c *Core) Oldest() (offset int64, waits bool) {
	if c.s.line.empty() {
		return 0, false
	}
	return c.s.line.first().pos.Offset, true
}
func (c *Core) Blocked() bool { return c.s.blocked() }
func (c *Core) Keys(offset int64, key, value []byte, now int64) {
	c.s.add(&Record{Offset: offset, Key: key, Value: value}, now)
}

// Counted is what became of events since the last Cut.
func (c *Core) Counted() (calls, scores map[string]uint64, keys [4]uint64) {
	t := &c.s.building.counted
	calls, scores = map[string]uint64{}, map[string]uint64{}
	for l := range numLinking {
		if n := t.calls[l]; n > 0 {
			calls[l.String()] = n
		}
		if n := t.judged[l]; n > 0 {
			scores[l.String()] = n
		}
	}
	return calls, scores, t.keys
}

func (c *Core) Full() bool                      { return c.s.full() }
func (c *Core) Beat(announced []windows.Source) { c.s.beat(announced) }

// Cut ends the round: the batches and dead letters by wave.
func (c *Core) Cut(now int64, atEnd bool) (waves [][]Sealed, dead []Letter, next int64) {
	r := c.s.cut(now, atEnd)
	if r == nil {
		return nil, nil, c.s.settled()
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

// OfferAtOnce sets how many events one produce of Redrive holds, until the returned function is called.
func OfferAtOnce(n int) (restore func()) {
	was := offerBatch
	offerBatch = n
	return func() { offerBatch = was }
}

// Redriver says what becomes of single events in dead letters.
type Redriver struct{ r *redriver }

// NewRedriver makes one whose events and spans are native.
func NewRedriver(native Decoder, dims []string, scales Scales, now int64) *Redriver {
	r := newRedriver(native, dims, scales, true, now)
	r.sources["natives"] = &letterSource{decoder: native}
	return &Redriver{r}
}

// Learn shows it all spans that a letter's events may belong to.
func (x *Redriver) Learn(letters []Record, spans [][]byte) {
	for i := range letters {
		l := parseLetter(&letters[i])
		x.r.survey(&l)
	}
	for _, full := range []bool{false, true} {
		for _, s := range spans {
			x.r.native.Decode(s, func(e *Event) { x.r.learn(e, full) })
		}
	}
}

// Judge tells the outcomes of a letter's events; those that are offered come with what is written.
func (x *Redriver) Judge(rec *Record, done func(o Outcome, name, value string)) {
	l := parseLetter(rec)
	x.r.judge(&l, func(o Outcome, again *offering) {
		if again == nil {
			done(o, "", "")
			return
		}
		done(o, string(again.name), string(again.value))
	})
}
