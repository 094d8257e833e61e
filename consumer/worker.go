package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/internal/fault"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/trouble"
	"github.com/driftd/driftd/windows"
)

// Config is what a Worker is made with. Client, Log, Metrics, Now, Sources and Encodings must be set.
type Config struct {
	Client  *kafkalog.Client
	Log     *slog.Logger
	Metrics *metrics.Set
	// Now is the ingest worker's clock. It judges events from the future and goes into the log.
	Now func() time.Time

	Sources    []SourceTopic
	Encodings  map[string]Format // by the names that sources use
	Dimensions []Dimension
	Lists      map[string][]string // attributes of fields, in place of those of the table
	Scales     Scales              // nil: no rubric has a scale
	Linking    Linking
	// TopicPrefix is before the names of driftd's own topics. Default "driftd."
	TopicPrefix string
	// Group is the consumer group. Default "driftd-ingest".
	Group string

	Disorder  time.Duration // of event times within a source partition. Default 10 s
	Idle      time.Duration // on Now, after which a partition without news follows the clock. Default 15 s
	Flush     time.Duration // age at which samples are written. Default 100 ms
	Heartbeat time.Duration // Default 5 s
	Commit    time.Duration // between commits. Default 1 s

	SessionTimeout, GroupHeartbeat time.Duration // of the group's membership; zero for kafkalog's defaults
}

// SourceTopic is a topic of events.
type SourceTopic struct {
	Topic, Encoding string
	Preset          string // of attribute names; see AttributeOptions
	// Unwrap takes the payload out of the envelope around it; nil where there is none. Its error is a *RecordError.
	Unwrap func(*Record) ([]byte, error)
	Start  Start
	// Dedup is how long, in event time, spans and scores are known that were sent before: they count once. 0: each counts. It takes
	// as much memory as Linking may, at most, for all partitions of a process.
	Dedup time.Duration
	// Again marks the topic of events that are offered again (see Redrive). Each is counted once however often it stands there,
	// and as they are late by nature, nothing waits for that topic. It is read from its start.
	Again bool
}

// Format is how the records of a topic are taken apart.
type Format struct {
	New NewDecoder
	// Private records hold secrets of the callers: none of them is kept, not even as a dead letter.
	Private bool
}

// refreshEvery is how often the source topics are looked up, for new partitions and for topics that were made again.
const refreshEvery = 30 * time.Second

// defaultDisorder is by how much event times may go back within a source partition.
const defaultDisorder = 10 * time.Second

// Worker is the ingest stage of one process.
type Worker struct {
	cfg     Config
	sources map[string]*sourceTopic
	topics  atomic.Pointer[layout]
	first   *layout // as this group saw it first
	linkers linkers
	copies  copies
	trouble trouble.List
	gaps    gaps
}

type sourceTopic struct {
	SourceTopic
	encoding Format
	attrs    *Attributes
	metrics  *topicMetrics
}

// layout is what the brokers say of the topics.
type layout struct {
	ids           map[string][16]byte
	partitions    map[string]int // of the sources, but for those of events that are offered again
	numbered      [][]string     // of those, the topics that have a partition of each number
	announced     []windows.Source
	samples, dead int // partitions
}

// New checks cfg and returns a worker that does nothing yet.
func New(cfg Config) (*Worker, error) {
	orDuration := func(d *time.Duration, usual time.Duration) {
		if *d <= 0 {
			*d = usual
		}
	}
	orDuration(&cfg.Disorder, defaultDisorder)
	orDuration(&cfg.Idle, 15*time.Second)
	orDuration(&cfg.Flush, 100*time.Millisecond)
	orDuration(&cfg.Heartbeat, 5*time.Second)
	orDuration(&cfg.Commit, time.Second)
	if cfg.TopicPrefix == "" {
		cfg.TopicPrefix = "driftd."
	}
	if cfg.Group == "" {
		cfg.Group = "driftd-ingest"
	}
	w := &Worker{cfg: cfg, sources: map[string]*sourceTopic{}}
	w.copies.client, w.copies.group, w.copies.log = cfg.Client, cfg.Group+"-read", cfg.Log
	for _, s := range cfg.Sources {
		attrs, err := NewAttributes(AttributeOptions{Preset: s.Preset, Dimensions: cfg.Dimensions, Lists: cfg.Lists})
		if err != nil {
			return nil, fmt.Errorf("read topic %s: %w", s.Topic, err)
		}
		encoding, ok := cfg.Encodings[s.Encoding]
		if !ok {
			return nil, fmt.Errorf("read topic %s: unknown encoding %q", s.Topic, s.Encoding)
		}
		if w.sources[s.Topic] != nil {
			return nil, fmt.Errorf("read topic %s: it is named twice among the sources", s.Topic)
		}
		w.sources[s.Topic] = &sourceTopic{s, encoding, attrs, newTopicMetrics(cfg.Metrics, s.Topic)}
	}
	if len(w.sources) == 0 {
		return nil, errors.New("read events: no source topics are named")
	}
	return w, nil
}

// Run takes part in the group until ctx ends; then it returns nil. Brokers that cannot be reached are tried again for ever. It
// waits for driftd's own topics to exist.
func (w *Worker) Run(ctx context.Context) error {
	state := changes{log: w.cfg.Log}
	for b := (kafkalog.Backoff{}); b.Wait(ctx); {
		err := w.refresh(ctx)
		if err == nil {
			err = w.meet(ctx)
		}
		state.note(ctx, "cannot look up topics, trying on", err)
		if err == nil {
			w.keep(ctx)
			break
		}
	}
	w.complain()
	cctx, over := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { w.copies.run(cctx) })
	defer func() { over(); wg.Wait() }()
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for t := time.NewTicker(refreshEvery); ; {
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-t.C:
				state.note(ctx, "cannot look up topics, trying on", w.refresh(ctx))
				w.keep(ctx)
				w.complain()
			}
		}
	}()
	defer func() { stop(); <-done }()

	var names []string
	for _, s := range w.cfg.Sources {
		names = append(names, s.Topic)
	}
	return w.cfg.Client.Group(kafkalog.GroupConfig{
		ID: w.cfg.Group, Topics: names, Balancer: kafkalog.CoPartitioned,
		SessionTimeout: w.cfg.SessionTimeout, Heartbeat: w.cfg.GroupHeartbeat,
	}).Run(ctx, w.claim)
}

// refresh looks the topics up.
func (w *Worker) refresh(ctx context.Context) error {
	samples, dead := w.cfg.TopicPrefix+"samples", w.cfg.TopicPrefix+"dead"
	names := []string{samples, dead}
	for _, s := range w.cfg.Sources {
		names = append(names, s.Topic)
	}
	topics, err := w.cfg.Client.Topics(ctx, names...)
	if err != nil {
		return err
	}
	l := &layout{ids: map[string][16]byte{}, partitions: map[string]int{}, samples: topics[samples].Partitions, dead: topics[dead].Partitions}
	if l.samples == 0 || l.dead == 0 {
		return fmt.Errorf("look up topics %s and %s: not both are there", samples, dead)
	}
	if before := w.topics.Load(); before != nil {
		l.samples = before.samples // partitions that are added would take prompts away from where their windows are
	}
	for _, s := range w.cfg.Sources {
		t, ok := topics[s.Topic]
		if !ok {
			continue
		}
		l.ids[s.Topic] = t.ID
		if s.Again {
			continue
		}
		l.partitions[s.Topic] = t.Partitions
		for p := range t.Partitions {
			if p == len(l.numbered) {
				l.numbered = append(l.numbered, nil)
			}
			l.numbered[p] = append(l.numbered[p], s.Topic)
			l.announced = append(l.announced, windows.Source{Topic: s.Topic, Partition: int32(p), Incarnation: t.ID})
		}
	}
	w.topics.Store(l)
	return nil
}

// claim reads one source partition until ctx ends.
func (w *Worker) claim(ctx context.Context, claim *kafkalog.Claim) error {
	src := w.sources[claim.Topic]
	gauges := newPartitionMetrics(w.cfg.Metrics, claim.Topic, claim.Partition, src.Dedup > 0)
	defer gauges.remove()
	defer w.trouble.Forget(partName(claim))
	log := w.cfg.Log.With("topic", claim.Topic, "partition", claim.Partition)
	samples := w.topics.Load().samples
	for ctx.Err() == nil {
		// Others wait for it from now on: what they link may stand here.
		claimed := time.Now()
		var link *part
		if !src.Again && w.cfg.Linking.Horizon > 0 {
			link = w.join(claim)
		}
		b, ok := w.begin(ctx, claim, src, link, log)
		start := b.offset
		if back := w.back(src, link); ok && back > 0 {
			start, ok = w.rewind(ctx, claim, b, back, link, log)
		}
		if !ok {
			w.leave(claim, link)
			break
		}
		var again *names
		if src.Again {
			start, again = b.first, newNames()
		}
		log.Debug("reading source partition", "from", b.String(), "remembering from", start)
		t := &task{
			beginning: b, brokers: &client{w: w, claim: claim, fetcher: w.cfg.Client.NewFetcher(claim.Topic, claim.Partition).Pin(b.topic)},
			now: w.cfg.Now, log: log, metrics: src.metrics, gauges: gauges, trouble: changes{log: log},
			fares: func(doing string, err error) { w.trouble.Note(partName(claim), doing, err) },
			lost:  func(from, n int64, why string) { w.lose(claim, log, from, n, why) },
			flush: w.cfg.Flush, heartbeat: w.cfg.Heartbeat, commitEvery: w.cfg.Commit, claimed: claimed,
			source: newSource(sourceConfig{
				id:      windows.Source{Topic: claim.Topic, Partition: int32(claim.Partition), Incarnation: b.incarnation()},
				decoder: src.encoding.New(src.attrs), unwrap: src.Unwrap, private: src.encoding.Private,
				dims: src.attrs.Dimensions(), scales: w.cfg.Scales,
				partitions: samples, partition: func(prompt string) int { return kafkalog.PartitionFor(prompt, samples) },
				disorder: w.cfg.Disorder, idle: w.cfg.Idle, now: w.cfg.Now().UnixNano(),
				start: start, from: b.offset, fences: b.fences, names: again, part: link, dedup: w.dedup(src), home: w.home(claim),
				known: knownBytes / max(len(w.topics.Load().announced), 1),
			}),
		}
		t.run(ctx)
		w.leave(claim, link)
	}
	return nil
}

// client is the brokers of one task, by kafkalog.
type client struct {
	w       *Worker
	claim   *kafkalog.Claim
	fetcher *kafkalog.Fetcher
	fetched *kafkalog.Fetched
	out     []kafkalog.Message
}

func (c *client) fetch(ctx context.Context, offset int64, wait time.Duration) (fetched, error) {
	var err error
	c.fetched, err = c.fetcher.Fetch(ctx, offset, wait)
	if _, ok := errors.AsType[*kafkalog.OutOfRangeError](err); ok {
		return nil, fmt.Errorf("%w: %w", errMoved, err)
	}
	if errors.Is(err, kafkalog.ErrUnknownTopic) { // it may have been made again: layout tells
		err = errors.Join(err, c.w.refresh(ctx))
	}
	fault.Point("ingest.fetched")
	return c, err
}

func (c *client) next(rec *Record) bool {
	if !c.fetched.Next() {
		return false
	}
	rec.take(c.fetched.Record())
	return true
}

func (c *client) err() error        { return c.fetched.Err() }
func (c *client) nextOffset() int64 { return c.fetched.NextOffset() }
func (c *client) end() int64        { return c.fetched.HighWatermark() }

// write implements brokers. It is called by the flight's goroutine alone.
func (c *client) write(ctx context.Context, msgs []message) (left []message, err error) {
	l := c.w.topics.Load()
	samples, dead := c.w.cfg.TopicPrefix+"samples", c.w.cfg.TopicPrefix+"dead"
	c.out = c.out[:0]
	for i := range msgs {
		m := &msgs[i]
		out := kafkalog.Message{Topic: samples, Partition: m.partition, Key: m.key, Value: m.value}
		if m.dead {
			out.Topic, out.Partition = dead, m.partition%l.dead
			for _, h := range m.headers {
				out.Headers = append(out.Headers, kafkalog.Header{Key: h.key, Value: h.value})
			}
		}
		c.out = append(c.out, out)
	}
	fault.Point("ingest.produce")
	_, err = c.w.cfg.Client.Produce(ctx, c.out)
	fault.Point("ingest.produced")
	failed, ok := errors.AsType[*kafkalog.ProduceError](err)
	switch {
	case err == nil:
		return nil, nil
	case !ok:
		return msgs, err
	}
	for i := range c.out {
		for _, f := range failed.Failed {
			if f.Topic == c.out[i].Topic && f.Partition == c.out[i].Partition {
				left = append(left, msgs[i])
			}
		}
	}
	return left, err
}

func (c *client) commit(ctx context.Context, offset int64, metadata string) error {
	fault.Point("ingest.commit")
	err := c.claim.Commit(ctx, offset, metadata)
	fault.Point("ingest.committed")
	switch {
	case errors.Is(err, kafkalog.ErrNotOwner):
		return fmt.Errorf("%w: %w", errLost, err)
	case err == nil:
		c.w.copies.put(c.claim.Topic, c.claim.Partition, committed{offset, metadata})
	}
	return err
}

func (c *client) layout(l lineage) (announced []windows.Source, same bool) {
	now := c.w.topics.Load()
	id, ok := now.ids[c.claim.Topic]
	return now.announced, !ok || id == l.topic
}

// maxPause bounds the pause between two attempts at a broker.
const maxPause = 2 * time.Second

func (c *client) pauses() func(ctx context.Context, attempt int) bool {
	b := kafkalog.Backoff{Max: maxPause}
	return func(ctx context.Context, attempt int) bool {
		if attempt == 0 {
			b.Reset()
		}
		return b.Wait(ctx)
	}
}

// changes logs a state of affairs when it changes.
type changes struct {
	log  *slog.Logger
	says string
}

func (c *changes) note(ctx context.Context, message string, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil && c.says != "":
		c.says = ""
		c.log.Info("works again")
	case err != nil && err.Error() != c.says:
		c.says = err.Error()
		c.log.Warn(message, "error", err)
	}
}
