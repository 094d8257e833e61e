// Package compare holds what driftd made of a stream against what the oracle computes: it reads driftd's own topics, with driftd's own
// code, and names every difference. It starts nothing.
package compare

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/chaos/oracle"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// Options say how driftd was set up.
type Options struct {
	Prefix     string // of its topics, such as "driftd."
	Dimensions []string
	Rules      string // the rule file
	Windows    windows.Options
	Partitions int // of samples that are in use; 0 is all
}

// Got is what driftd made.
type Got struct {
	Partitions []*detector.Partition // by number: from the newest checkpoint, and the samples behind it
	Restored   int                   // of them that came from a checkpoint
	Saved      []time.Time           // by number: the watermark in that checkpoint; zero where there is none
	Steps      []detector.Record     // each once, partition by partition in the order of the log
	Actions    []detector.Record     // what was done about them, each as often as it is in the log
	Repeated   int                   // steps that are in the log again, the same; readers pass over them
	Altered    []string              // steps that are in the log again, and not the same
	Dead       []oracle.Dead         // by source, each once

	// Hidden are cells that the oracle was told nothing of, and their alerts: they are not compared. nil is none.
	Hidden func(oracle.Cell) bool
}

// Read reads driftd's topics. driftd may run on.
func Read(ctx context.Context, client *kafkalog.Client, o Options) (*Got, error) {
	set, problems := rules.Parse("rules.yaml", []byte(o.Rules), rules.Options{Dimensions: o.Dimensions})
	if err := problems.Err(); err != nil && len(set.Groups) == 0 {
		return nil, fmt.Errorf("compare: %w", err)
	}
	topics, err := client.Topics(ctx, o.Prefix+"samples", o.Prefix+"alerts", o.Prefix+"state", o.Prefix+"dead")
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	g := &Got{}
	n := topics[o.Prefix+"samples"].Partitions
	if n == 0 {
		return nil, fmt.Errorf("compare: there is no topic %ssamples", o.Prefix)
	}
	if o.Partitions > 0 {
		n = min(n, o.Partitions)
	}
	for p := range n {
		if err := g.partition(ctx, client, &o, set, p, n); err != nil {
			return nil, fmt.Errorf("compare: read partition %d: %w", p, err)
		}
	}
	seen := make(map[string]string)
	for p := range topics[o.Prefix+"alerts"].Partitions {
		if err := Each(ctx, client, o.Prefix+"alerts", p, 0, func(rec *kafkalog.Record) error { return g.step(rec, seen) }); err != nil {
			return nil, fmt.Errorf("compare: read alerts: %w", err)
		}
	}
	buried := make(map[oracle.Dead]bool)
	for p := range topics[o.Prefix+"dead"].Partitions {
		if err := Each(ctx, client, o.Prefix+"dead", p, 0, func(rec *kafkalog.Record) error { return g.letter(rec, buried) }); err != nil {
			return nil, fmt.Errorf("compare: read dead letters: %w", err)
		}
	}
	return g, nil
}

// partition makes what detect has of one samples partition, as it does when it takes it over.
func (g *Got) partition(ctx context.Context, client *kafkalog.Client, o *Options, set *rules.Set, number, of int) error {
	options := detector.PartitionOptions{Windows: o.Windows, Rules: set, Partitions: of}
	options.Windows.Dimensions = o.Dimensions
	state := make(map[int64][]byte)
	finder := windows.NewFinder()
	err := Each(ctx, client, o.Prefix+"state", number, 0, func(rec *kafkalog.Record) error {
		if detector.IsReset(rec.Value) {
			finder = windows.NewFinder()
		}
		state[rec.Offset] = append([]byte(nil), rec.Value...)
		finder.Add(rec.Value)
		return nil
	})
	if err != nil {
		return err
	}
	p, offset, saved := detector.NewPartition(options), int64(0), time.Time{}
	if cp, ok := finder.Best(); ok {
		p, offset, err = detector.RestorePartition(options, cp, func(offsets []int64, each func(record []byte) error) error {
			for _, at := range offsets {
				if state[at] == nil {
					return fmt.Errorf("record at offset %d of the state is gone", at)
				}
				if err := each(state[at]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		g.Restored++
		saved = p.Store().Watermark()
	}
	g.Saved = append(g.Saved, saved)
	var batch windows.Batch
	err = Each(ctx, client, o.Prefix+"samples", number, offset, func(rec *kafkalog.Record) error {
		if err := batch.Decode(rec.Value); err == nil { // detect passes over those that are broken, too
			p.Apply(&batch)
		}
		return nil
	})
	g.Partitions = append(g.Partitions, p)
	return err
}

func (g *Got) step(rec *kafkalog.Record, seen map[string]string) error {
	var r detector.Record
	if err := json.Unmarshal(rec.Value, &r); err != nil {
		return fmt.Errorf("alert record at offset %d: %w", rec.Offset, err)
	}
	if !r.Type.IsStep() {
		if r.Type != detector.Observed && r.Type != detector.DayFigures {
			g.Actions = append(g.Actions, r)
		}
		return nil
	}
	key := fmt.Sprint(r.ID, " ", r.Step)
	switch was, again := seen[key]; {
	case !again:
		seen[key] = string(rec.Value)
		g.Steps = append(g.Steps, r)
	case was == string(rec.Value):
		g.Repeated++
	default:
		g.Altered = append(g.Altered, fmt.Sprintf("step %s of %s was\n      %s\n    and then\n      %s", key, r.Rule, was, rec.Value))
	}
	return nil
}

func (g *Got) letter(rec *kafkalog.Record, seen map[oracle.Dead]bool) error {
	d := oracle.Dead{Index: -1}
	var err error
	for _, h := range rec.Headers {
		switch text := string(h.Value); h.Key {
		case "driftd-topic":
			d.Topic = text
		case "driftd-reason":
			d.Reason = text
		case "driftd-partition":
			n, e := strconv.ParseInt(text, 10, 32)
			d.Partition, err = int32(n), errors.Join(err, e)
		case "driftd-offset":
			n, e := strconv.ParseInt(text, 10, 64)
			d.Offset, err = n, errors.Join(err, e)
		case "driftd-index":
			n, e := strconv.Atoi(text)
			d.Index, err = n, errors.Join(err, e)
		case "driftd-incarnation":
			d.Incarnation = text
		}
	}
	if !seen[d] {
		seen[d] = true
		g.Dead = append(g.Dead, d)
	}
	return err
}

// Sources reads topics back as the oracle wants them. A topic that is deleted later must be read before.
func Sources(ctx context.Context, client *kafkalog.Client, names ...string) (records []oracle.Record, err error) {
	topics, err := client.Topics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	for _, name := range names {
		id := topics[name].ID
		incarnation := hex.EncodeToString(id[:])
		for p := range topics[name].Partitions {
			if err := Each(ctx, client, name, p, 0, func(rec *kafkalog.Record) error {
				records = append(records, oracle.Record{
					Topic: name, Partition: int32(p), Incarnation: incarnation, Offset: rec.Offset, Value: append([]byte(nil), rec.Value...),
				})
				return nil
			}); err != nil {
				return nil, fmt.Errorf("read sources: %s[%d]: %w", strings.TrimSpace(name), p, err)
			}
		}
	}
	return records, nil
}

// Each hands over the records of a partition from an offset, or from its first, to its end as it is now.
func Each(ctx context.Context, client *kafkalog.Client, topic string, partition int, from int64, do func(*kafkalog.Record) error) error {
	var first, end int64
	err := insist(ctx, func() (err error) {
		first, end, err = client.Bounds(ctx, topic, partition)
		return err
	})
	if err != nil {
		return err
	}
	fetcher := client.NewFetcher(topic, partition)
	for from = max(from, first); from < end; {
		var got *kafkalog.Fetched
		if err := insist(ctx, func() (err error) {
			got, err = fetcher.Fetch(ctx, from, 0)
			return err
		}); err != nil {
			return err
		}
		for got.Next() {
			if rec := got.Record(); rec.Offset < end {
				if err := do(rec); err != nil {
					return err
				}
			}
		}
		if err := got.Err(); err != nil {
			return err
		}
		from = max(from, got.NextOffset())
	}
	return nil
}

// tries bounds how often a broker is asked that has just come back.
const tries = 8

func insist(ctx context.Context, try func() error) (err error) {
	again := kafkalog.Backoff{}
	for range tries {
		if !again.Wait(ctx) {
			return ctx.Err()
		}
		if err = try(); err == nil {
			return nil
		}
	}
	return err
}

// Reached tells whether driftd has told, and saved, all that is to be told up to a time: steps are acknowledged before the checkpoint
// that covers them.
func (g *Got) Reached(until time.Time) bool {
	return !slices.ContainsFunc(g.Saved, func(t time.Time) bool { return t.Before(until) })
}
