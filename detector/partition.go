package detector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// PartitionOptions say what a partition's state machine works with.
type PartitionOptions struct {
	Windows windows.Options
	Rules   *rules.Set
	// Partitions is how many partitions share the prompts, and so the budget of a rule that watches more than one; 0 is 1. It
	// decides what a replay gives.
	Partitions int
	History    *History // of a partition that starts anew although it has a past; nil for none
}

// Partition is the detect stage of one samples partition without the log around it: batches in, steps of alerts out. What
// comes out is a function of the batches, their order and the rules alone, so that a replay gives the same records. It
// belongs to one goroutine.
type Partition struct {
	store   *windows.Store
	engine  *engine
	past    *History // until its end has been replayed
	counts  Counts
	records []Record
}

// Counts are what has passed through a partition since it was made.
type Counts struct {
	windows.Folded
	Ticks   int // sealed minutes, at each of which all rules were evaluated
	Steps   int
	Passed  int // alarms of rules with a budget about a change that is smaller than they ask for
	Clamped int // values that were outside a rule's range, and counted as its end; once for each such rule
}

// NewPartition returns a partition that has seen nothing.
func NewPartition(o PartitionOptions) *Partition {
	p := &Partition{store: windows.NewStore(o.Windows)}
	p.engine = newEngine(p.store, &o)
	if err := p.engine.use(o.Rules); err != nil {
		panic(fmt.Sprintf("BUG: an empty engine has no memory to restore: %v", err))
	}
	if o.History != nil && !o.History.until.IsZero() {
		p.past = o.History
	}
	return p
}

// Replaying tells whether the partition still goes through a past that it knows from a History. Until then it gives no steps
// and must not be saved.
func (p *Partition) Replaying() bool { return p.past != nil }

// RestorePartition returns the partition that a checkpoint was made of, and the samples offset at which it goes on. The rules
// may have changed meanwhile.
func RestorePartition(o PartitionOptions, cp *windows.Checkpoint, read func(offsets []int64, each func(record []byte) error) error) (*Partition, int64, error) {
	p := &Partition{store: windows.NewStore(o.Windows)}
	extra, err := p.store.Restore(cp, read)
	if err != nil {
		return nil, 0, fmt.Errorf("restore windows: %w", err)
	}
	offset, n := binary.Varint(extra)
	if n <= 0 {
		return nil, 0, fmt.Errorf("restore detector: %w: no offset", errState)
	}
	p.engine = newEngine(p.store, &o)
	p.engine.compile(o.Rules)
	if err := p.engine.restore(extra[n:]); err != nil {
		return nil, 0, fmt.Errorf("restore detector: %w", err)
	}
	return p, offset, nil
}

// Checkpoint writes the state as it is before the samples record at offset; see windows.Store.Checkpoint for write.
func (p *Partition) Checkpoint(offset int64, write func(records [][]byte) ([]int64, error)) error {
	if p.past != nil {
		return errors.New("save partition: it still goes through its past")
	}
	extra, err := p.engine.snapshot(binary.AppendVarint(nil, offset))
	if err != nil {
		return err
	}
	return p.store.Checkpoint(extra, write)
}

// SetRules replaces the rules between two batches. Alerts of rules that stay what they are live on; those of rules that are
// gone are resolved at the next tick.
func (p *Partition) SetRules(set *rules.Set) error { return p.engine.use(set) }

// Apply folds a batch, seals what the watermark has passed and evaluates the rules at each minute on the way. It returns the
// steps of all alerts, in order, and behind those of each minute what else there is to tell of it; they are the caller's until the next
// Apply.
func (p *Partition) Apply(b *windows.Batch) []Record {
	p.counts.add(p.store.Fold(b))
	e := p.engine
	e.out = e.out[:0]
	p.counts.TooLate += p.store.Advance(func(now time.Time) {
		p.counts.Ticks++
		if p.past != nil && now.After(p.past.until) { // samples of that time are gone
			p.recall()
		}
		e.tick(now)
		if p.past == nil {
			return
		}
		e.out = e.out[:0]
		if now.Equal(p.past.until) { // before the next minute is sealed: new views know nothing of a minute sealed before them
			p.recall()
		}
	})
	p.counts.Clamped += e.clamped
	p.counts.Passed += e.passed
	e.clamped, e.passed = 0, 0
	clear(p.records)
	p.records = p.records[:0]
	for i := range e.out {
		if e.out[i].Type.IsStep() {
			p.counts.Steps++
		}
		p.records = append(p.records, e.out[i].Record)
	}
	clear(e.out)
	return p.records
}

// recall ends the replay of the past.
func (p *Partition) recall() {
	if err := p.engine.recall(p.past); err != nil {
		panic(fmt.Sprintf("BUG: what an engine saves it can load: %v", err))
	}
	p.past = nil
}

// Store is the partition's windows, for reading figures between two batches.
func (p *Partition) Store() *windows.Store { return p.store }

// Counts are totals since the partition was made.
func (p *Partition) Counts() Counts { return p.counts }

// Alerts counts the alerts that are not inactive.
func (p *Partition) Alerts() (pending, firing int) { return p.engine.counts() }

func (c *Counts) add(f windows.Folded) {
	c.Samples += f.Samples
	c.Values += f.Values
	c.Skipped += f.Skipped
	c.Late += f.Late
	c.TooLate += f.TooLate
	c.Other += f.Other
	c.Dropped += f.Dropped
}
