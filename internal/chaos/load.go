package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/chaos/compare"
	"github.com/driftd/driftd/internal/chaos/oracle"
	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/windows"
)

var loadRows = []row{
	{name: "bomb", does: "1 M distinct prompts, versions, locales", once: true, do: bomb},
	{name: "flood", does: "10 × the rate it takes, for a minute", once: true, do: flood},
}

const (
	loadTopic = "load" // what is written beside the stream, as fast as it can be
	bombed    = "bomb-"
	flooded   = "flooded"

	// memoryCap is what a driftd may take, all of it, with four partitions of samples and the usual limits, bytes.
	memoryCap = 1 << 30
)

// besides tells what belongs to the load: the oracle knows nothing of it.
func besides(c oracle.Cell) bool {
	return c.Prompt == flooded || c.Prompt == windows.Other || c.Version == windows.Other ||
		strings.HasPrefix(c.Prompt, bombed) || strings.HasPrefix(c.Version, bombed)
}

// load adds the topic, and leaves it out of what is compared with the oracle.
func (r *run) load(s *stream.Stream) {
	name := s.Prefix + loadTopic
	s.Topics = append(s.Topics, stream.Topic{Name: name, Encoding: "driftd_json"})
	r.apart = &apart{topic: name, hides: besides}
}

// apart is a topic that the oracle is not told of, and the cells that come of it.
type apart struct {
	topic string
	hides func(oracle.Cell) bool
	look  func(*compare.Got) // at what is hidden; its differences are the row's
}

// told are the topics that the oracle knows.
func (r *run) told() []stream.Topic {
	return slices.DeleteFunc(slices.Clone(r.world.Stream.Topics), func(t stream.Topic) bool { return r.apart != nil && t.Name == r.apart.topic })
}

// pour writes so many records at once, round all partitions, and returns how many stand in the topic then.
func (r *run) pour(n int, value func(i int) []byte) (written int64, err error) {
	w := r.world
	const atOnce = 4000
	var msgs []kafkalog.Message
	for i := 0; i < n; i += atOnce {
		msgs = msgs[:0]
		for j := i; j < min(i+atOnce, n); j++ {
			msgs = append(msgs, kafkalog.Message{Topic: r.apart.topic, Partition: j % w.Stream.Partitions, Value: value(j), Time: w.Clock.True()})
		}
		for again := (kafkalog.Backoff{}); len(msgs) > 0; {
			if !again.Wait(r.ctx) {
				return 0, context.Cause(r.ctx)
			}
			_, err := w.Client.Produce(r.ctx, msgs)
			failed, _ := errors.AsType[*kafkalog.ProduceError](err)
			msgs = slices.DeleteFunc(msgs, func(m kafkalog.Message) bool {
				return err == nil || failed != nil && !slices.ContainsFunc(failed.Failed, func(f kafkalog.PartitionError) bool { return f.Partition == m.Partition })
			})
		}
	}
	for p := range w.Stream.Partitions {
		first, next, err := w.Client.Bounds(r.ctx, r.apart.topic, p)
		if err != nil {
			return 0, err
		}
		written += next - first
	}
	return written, nil
}

// taken waits until ingest has read so many records of the load.
func (r *run) taken(p *rig.Process, n int64) error {
	name := fmt.Sprintf("driftd_consumer_records_total{topic=%q}", r.apart.topic)
	return rig.Until(r.ctx, fmt.Sprintf("%d records of the load are read", n), func() bool {
		m, err := p.Metrics(r.ctx)
		return err == nil && int64(m[name]) >= n
	})
}

// within holds the most memory that the process has had against the cap.
func (r *run) within(p *rig.Process) error {
	m, err := p.Metrics(r.ctx)
	if err != nil {
		return err
	}
	peak := int64(m["process_resident_memory_peak_bytes"])
	r.note("memory: %d MiB at most, %d MiB are allowed", peak>>20, memoryCap>>20)
	if peak == 0 || peak > memoryCap {
		r.differs("the process has had %d MiB of memory, %d MiB are allowed", peak>>20, memoryCap>>20)
	}
	return nil
}

// hidden is how many calls are counted in the cells of the load.
func (r *run) hidden(got *compare.Got) (calls int64) {
	for _, p := range got.Partitions {
		s := p.Store()
		for _, prompt := range s.Prompts() {
			for _, v := range s.Versions(prompt) {
				if besides(oracle.Cell{Prompt: prompt, Version: v.Version}) {
					calls += s.Between(windows.Query{Prompt: prompt, Version: v.Version}, windows.Volume, time.Unix(0, 0), s.Watermark()).N
				}
			}
		}
	}
	return calls
}

// all holds what is counted of the load against what was written.
func (r *run) all(got *compare.Got, written int64) {
	if n := r.hidden(got); n < written {
		r.result.lost += int(written - n)
		r.differs("lost: of %d calls of the load %d are counted", written, n)
	} else if n > written {
		r.result.doubled += int(n - written)
		r.differs("doubled: of %d calls of the load %d are counted", written, n)
	}
	r.result.events += int(written)
}

// bomb writes a million calls of which each has a prompt, a version or a locale that no other has: prompts that are no names but texts,
// and versions that are request ids, among them those of a prompt that was well. What is there already goes on; the rest is counted
// under the label for all others. Each of its calls is in a trace of its own, so that linking remembers it: not at the cost of others,
// whose scores still find their spans.
func bomb(r *run) error {
	tuples := 1_000_000
	if r.short {
		tuples = 100_000
	}
	r.alter = r.load
	if err := r.open(stream.Spec{Length: lull + slot}, nil); err != nil {
		return err
	}
	p, err := r.world.Start("all")
	if err != nil {
		return err
	}
	var written int64
	err = r.each(func(int) error {
		began, at := time.Now(), r.world.Clock.True()
		written, err = r.pour(tuples, func(i int) []byte {
			prompt, version, locale := fmt.Sprintf("%s%07d", bombed, i), "v1", "en"
			switch i % 3 {
			case 1:
				prompt, version, locale = bombed+"same", fmt.Sprintf("%s%07d", bombed, i), fmt.Sprint(i%1000)
			case 2:
				prompt, version, locale = stream.LatePrompt, fmt.Sprintf("%s%07d", bombed, i), fmt.Sprint(i)
			}
			return fmt.Appendf(nil, `{"type":"span","time":%d,"prompt":%q,"version":%q,"locale":%q,"latency":%g,"input_tokens":%d,"trace_id":"%032x","span_id":"%016x"}`,
				at.UnixNano(), prompt, version, locale, float64(1+i%40)/10, i%2000, i+1, i+1)
		})
		if err != nil {
			return err
		}
		if err := r.taken(p, written); err != nil {
			return err
		}
		r.world.Feed.Allow(r.world.Feed.End()) // the load is waited for until it has been silent for some time of the clock
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	limited := 0.0
	r.apart.look = func(got *compare.Got) {
		r.all(got, written)
		if limited == 0 {
			r.differs("no call of %d was counted under %s", written, windows.Other)
		}
	}
	if err := r.world.AwaitTick(r.ctx, r.world.Stream.Until); err != nil {
		return err
	}
	m, err := p.Metrics(r.ctx)
	if err != nil {
		return err
	}
	limited = m.Sum("driftd_detector_limited_samples_total")
	r.note("%.0f of %d calls under %s, %.0f series", limited, written, windows.Other, m.Sum("driftd_detector_series"))
	if err := r.within(p); err != nil {
		return err
	}
	return r.finish()
}

// flood writes, in a minute of event time, ten times what ingest takes in such a minute at the pace of the clock. A rule watches it.
func flood(r *run) error {
	const rule = `  - name: flood
    match: {prompt: ` + flooded + `}
    rules: [{alert: Flooded, metric: latency, threshold: {stat: count, window: 1m, above: 1000}, min_samples: 1}]
`
	r.alter = func(s *stream.Stream) {
		r.load(s)
		s.Rules += rule
	}
	if err := r.open(stream.Spec{Length: lull + slot}, nil); err != nil {
		return err
	}
	p, err := r.world.Start("all")
	if err != nil {
		return err
	}
	var written int64
	var minute time.Time
	call := func(int) []byte {
		return fmt.Appendf(nil, `{"type":"span","time":%d,"prompt":%q,"version":"v1","locale":"en","latency":0.5,"input_tokens":100,"trace_id":"%032x"}`,
			minute.Add(time.Second).UnixNano(), flooded, 1)
	}
	err = r.each(func(int) error {
		minute = r.world.Clock.True().Truncate(time.Minute)
		probe := 20_000
		began := time.Now()
		if written, err = r.pour(probe, call); err != nil {
			return err
		}
		if err := r.taken(p, written); err != nil {
			return err
		}
		perMinute := float64(written) / time.Since(began).Seconds() * 60 / r.world.Speed
		n := int(10 * perMinute)
		if r.short {
			n /= 4
		}
		began, at := time.Now(), r.world.Clock.True()
		if written, err = r.pour(n, call); err != nil {
			return err
		}
		r.note("%d calls written in %.1f s, where %.0f are taken in a minute of event time", n, time.Since(began).Seconds(), perMinute)
		if err := r.taken(p, written); err != nil {
			return err
		}
		r.world.Feed.Allow(r.world.Feed.End()) // the load is waited for until it has been silent for some time of the clock
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	r.apart.look = func(got *compare.Got) {
		r.all(got, written)
		var told []string
		for _, s := range got.Steps {
			if s.Prompt == flooded {
				told = append(told, fmt.Sprintf("%s %s", s.Type, s.Time.Sub(minute)))
			}
		}
		want := []string{fmt.Sprintf("%s %s", detector.Firing, time.Minute), fmt.Sprintf("%s %s", detector.Resolved, 2*time.Minute)}
		if !slices.Equal(told, want) {
			r.result.missing++
			r.differs("alert of the flood: %v, want %v", told, want)
		}
	}
	if err := r.within(p); err != nil {
		return err
	}
	return r.finish()
}
