package detector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/internal/fault"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/trouble"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// WorkerOptions of the detect stage.
type WorkerOptions struct {
	Prefix          string           // of driftd's topics, such as "driftd."
	Group           string           // of consumers; default "driftd-detect"
	Windows         windows.Options  // must be the same in all instances
	Partitions      int              // of samples, see PartitionOptions; those beyond are left alone. 0 is all
	CheckpointEvery time.Duration    // wall-clock time between two checkpoints of a partition; default 30 s
	MaxWait         time.Duration    // of one fetch, and so how soon new rules reach a silent partition; default 1 s
	Now             func() time.Time // the clock that the watermark's lag is told against; nothing else depends on it

	SessionTimeout, Heartbeat time.Duration // of the group; see kafkalog.GroupConfig
}

// Worker is the detect stage: one goroutine for each samples partition that the group assigns, each the sole owner of a
// Partition. The log of samples decides what comes out; this file only carries it in and out:
//
//	samples ─> Partition.Apply ─> steps to the alerts topic ─> checkpoint to the state topic ─> group commit
//
// Steps are acknowledged before the checkpoint that covers them, so that after a crash they are made again, the same, and
// never lost; readers pass over (id, step) that they have seen.
type Worker struct {
	o      WorkerOptions
	client *kafkalog.Client
	rules  atomic.Pointer[rules.Set]
	meters *meters
	log    *slog.Logger
	plight trouble.List

	mu struct {
		sync.Mutex
		tasks []*task // that work
	}
}

// NewWorker returns a worker; Run starts it.
func NewWorker(o WorkerOptions, set *rules.Set, client *kafkalog.Client, ms *metrics.Set, log *slog.Logger) *Worker {
	if o.Group == "" {
		o.Group = "driftd-detect"
	}
	if o.CheckpointEvery <= 0 {
		o.CheckpointEvery = 30 * time.Second
	}
	if o.MaxWait <= 0 {
		o.MaxWait = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Worker{o: o, client: client, meters: newMeters(ms, o.Now), log: log}
	w.rules.Store(set)
	return w
}

// SetRules replaces the rules of all partitions; each takes them over between two batches. It may be called at any time, by
// any goroutine. The set must not be changed any more.
func (w *Worker) SetRules(set *rules.Set) { w.rules.Store(set) }

// Trouble is what partitions cannot read or write now, and try on. It may be called at any time, by any goroutine.
func (w *Worker) Trouble() []string { return w.plight.Says() }

// Run works until ctx ends, and then saves what its partitions know. Brokers that cannot be reached are waited for. The only
// errors are bugs.
func (w *Worker) Run(ctx context.Context) error {
	return w.client.Group(kafkalog.GroupConfig{
		ID: w.o.Group, Topics: []string{w.o.Prefix + "samples"}, Balancer: kafkalog.CoPartitioned,
		SessionTimeout: w.o.SessionTimeout, Heartbeat: w.o.Heartbeat,
	}).Run(ctx, w.own)
}

// own works on one partition until ctx ends.
func (w *Worker) own(ctx context.Context, claim *kafkalog.Claim) error {
	if n := w.o.Partitions; n > 0 && claim.Partition >= n { // it was added under way: ingest does not write to it, and the other topics lack it
		w.log.Warn("a partition of samples is left alone, it was added under way", "partition", claim.Partition, "partitions", n)
		<-ctx.Done()
		return nil
	}
	t := &task{
		Worker: w, claim: claim, log: w.log.With("partition", claim.Partition),
		name:    fmt.Sprintf("%ssamples[%d]", w.o.Prefix, claim.Partition),
		samples: w.o.Prefix + "samples", alerts: w.o.Prefix + "alerts", state: w.o.Prefix + "state", dead: w.o.Prefix + "dead",
	}
	defer w.plight.Forget(t.name)
	var disown func()
	t.gauges, disown = w.meters.own(claim.Partition)
	defer disown()
	began := time.Now()
	if err := t.open(ctx); err != nil {
		return err
	}
	fault.Point("detect.restored")
	t.gauges.restored(t.p)
	w.meters.restoreSeconds.UpdateDuration(began)
	pending, firing := t.p.Alerts()
	watermark := "none"
	if at := t.p.Store().Watermark(); !at.IsZero() {
		watermark = at.UTC().Format(time.RFC3339)
	}
	t.log.Info("partition ready", "offset", t.offset, "from_checkpoint", t.saved >= 0, "watermark", watermark,
		"pending", pending, "firing", firing, "reading", t.reading.Round(time.Millisecond), "took", time.Since(began).Round(time.Millisecond))
	leave := w.enter(t)
	err := t.work(ctx)
	leave()
	if err != nil {
		return err
	}
	if t.unsent {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCheckpoint)
	defer cancel()
	t.checkpoint(last)
	return nil
}

const (
	lastCheckpoint = 10 * time.Second // for the checkpoint at the end
	maxRequest     = 900 << 10        // bytes of records written at once: brokers take 1 MiB unless configured otherwise
	maxDead        = 256 << 10        // bytes of a broken record that are kept
)

// task is the work on one partition.
type task struct {
	*Worker
	claim                        *kafkalog.Claim
	gauges                       *partitionGauges
	log                          *slog.Logger
	name                         string // of the partition, for people
	samples, alerts, state, dead string // topics

	p       *Partition
	set     *rules.Set // that p has
	offset  int64      // of the next samples record
	saved   int64      // offset of the newest checkpoint
	asked   chan chan<- []RuleStatus
	left    chan struct{} // closed when the work is over
	unsent  bool          // steps were made that are not in the log: the state must not be saved
	batch   windows.Batch
	counts  Counts        // as of the last look
	reading time.Duration // what waiting for brokers took while the partition was made
}

// work reads samples until ctx ends.
func (t *task) work(ctx context.Context) error {
	fetcher := t.client.NewFetcher(t.samples, t.claim.Partition)
	said := ""
	due := time.Now().Add(t.o.CheckpointEvery)
	for b := (kafkalog.Backoff{}); b.Wait(ctx); {
		t.answer()
		if set := t.rules.Load(); set != t.set {
			if err := t.p.SetRules(set); err != nil {
				return fmt.Errorf("take over rules: %w", err)
			}
			t.set = set
			t.meters.reloads.Inc()
		}
		got, err := fetcher.Fetch(ctx, t.offset, t.o.MaxWait)
		if gone, ok := errors.AsType[*kafkalog.OutOfRangeError](err); ok {
			t.skip(gone)
			continue
		}
		if err != nil {
			if ctx.Err() == nil {
				t.plight.Note(t.name, "read samples", err)
				if err.Error() != said {
					said = err.Error()
					t.log.Warn("cannot read samples, trying on", "error", err)
				}
			}
			continue
		}
		if said != "" {
			said = ""
			t.plight.Note(t.name, "read samples", nil)
			t.log.Info("samples can be read again")
		}
		b.Reset()
		fault.Point("detect.fetched")
		for got.Next() {
			if err := t.take(ctx, got.Record()); err != nil {
				return nil // ctx has ended
			}
		}
		if err := got.Err(); err != nil {
			t.meters.broken.Inc()
			t.log.Error("samples cannot be read and are passed over", "error", err, "next", got.NextOffset())
		}
		t.offset = max(t.offset, got.NextOffset())
		t.look(got.HighWatermark())
		if !time.Now().Before(due) {
			t.checkpoint(ctx)
			due = time.Now().Add(t.o.CheckpointEvery)
		}
	}
	return nil
}

// take folds one samples record and writes the steps that come of it. It fails only when ctx ends.
func (t *task) take(ctx context.Context, rec *kafkalog.Record) error {
	t.meters.records.Inc()
	if err := t.batch.Decode(rec.Value); err != nil {
		t.meters.broken.Inc()
		t.log.Error("samples record is broken and passed over", "offset", rec.Offset, "error", err)
		if err := t.bury(ctx, rec, err); err != nil {
			return err
		}
	} else if err := t.publish(ctx, t.p.Apply(&t.batch)); err != nil {
		t.unsent = true
		return err
	}
	t.offset = rec.Offset + 1
	return nil
}

// publish writes the steps of a batch in order, in one request unless they are too many for one. It returns when they are
// acknowledged; it fails only when ctx ends.
func (t *task) publish(ctx context.Context, steps []Record) error {
	var msgs []kafkalog.Message
	size := 0
	for i := range steps {
		r := &steps[i]
		t.meters.steps[r.Type].Inc()
		if r.Type.IsStep() {
			t.log.Info("alert", about(r)...)
		}
		value, err := json.Marshal(r)
		if err != nil {
			panic(fmt.Sprintf("BUG: a record is always JSON: %v", err))
		}
		if size += len(value) + len(r.Prompt); size > maxRequest && len(msgs) > 0 {
			if err := t.write(ctx, "steps", msgs); err != nil {
				return err
			}
			msgs, size = msgs[:0], len(value)+len(r.Prompt)
		}
		msgs = append(msgs, kafkalog.Message{Topic: t.alerts, Partition: t.claim.Partition, Key: []byte(r.Prompt), Value: value})
	}
	if len(msgs) == 0 {
		return nil
	}
	fault.Point("detect.produce")
	err := t.write(ctx, "steps", msgs)
	fault.Point("detect.produced")
	return err
}

// bury keeps a broken record, with the headers of ingest's dead letters.
func (t *task) bury(ctx context.Context, rec *kafkalog.Record, why error) error {
	h := func(key, value string) kafkalog.Header { return kafkalog.Header{Key: key, Value: []byte(value)} }
	headers := []kafkalog.Header{
		h("driftd-topic", t.samples), h("driftd-partition", strconv.Itoa(t.claim.Partition)), h("driftd-offset", strconv.FormatInt(rec.Offset, 10)),
		h("driftd-reason", "bad_samples"), h("driftd-detail", why.Error()), h("driftd-time", t.o.Now().UTC().Format(time.RFC3339Nano)),
	}
	value := rec.Value
	if len(value) > maxDead {
		headers = append(headers, h("driftd-truncated", strconv.Itoa(len(value))))
		value = value[:maxDead]
	}
	return t.write(ctx, "dead letter", []kafkalog.Message{{Topic: t.dead, Key: rec.Key, Value: value, Headers: headers}})
}

// write produces msgs, again and again until they are acknowledged or ctx ends.
func (t *task) write(ctx context.Context, what string, msgs []kafkalog.Message) error {
	return t.insist(ctx, "write "+what, func() error {
		_, err := t.client.Produce(ctx, msgs)
		return err
	})
}

// insist tries until it works, and logs when the outcome changes. It fails only when ctx ends.
func (t *task) insist(ctx context.Context, what string, try func() error) error {
	said := ""
	for b := (kafkalog.Backoff{}); b.Wait(ctx); {
		err := try()
		switch {
		case err == nil && said != "":
			t.plight.Note(t.name, what, nil)
			t.log.Info("works again", "what", what)
			return nil
		case err == nil:
			return nil
		case ctx.Err() == nil:
			t.plight.Note(t.name, what, err)
			if err.Error() != said {
				said = err.Error()
				t.log.Warn("failed, trying on", "what", what, "error", err)
			}
		}
	}
	return context.Cause(ctx)
}

// skip goes on at the start of a log that has not got the next record any more, or never had it.
func (t *task) skip(gone *kafkalog.OutOfRangeError) {
	lost := max(gone.First-t.offset, 0)
	t.meters.gaps.Add(int(lost))
	t.log.Error("samples are missing: the log has not got the next record", "offset", t.offset, "first", gone.First, "end", gone.Next, "lost", lost)
	t.offset = gone.First
}

// look publishes the partition's figures.
func (t *task) look(end int64) {
	now := t.p.Counts()
	t.meters.count(t.counts, now)
	for _, says := range losses(&t.counts, &now) {
		t.log.Warn(says)
	}
	t.counts = now
	t.gauges.look(t.p, end-t.offset)
}

// checkpoint saves the partition and commits its offset, for those who watch lag: where to go on is in the checkpoint. What
// fails is tried again when the next one is due.
func (t *task) checkpoint(ctx context.Context) {
	if t.offset == t.saved || t.p.Replaying() {
		return
	}
	began := time.Now()
	fault.Point("detect.checkpoint")
	err := t.p.Checkpoint(t.offset, func(records [][]byte) ([]int64, error) { return t.topic(t.state).append(ctx, records) })
	if err != nil {
		t.meters.checkpointFailures.Inc()
		t.plight.Note(t.name, "write checkpoint", err)
		t.log.Warn("cannot write checkpoint", "offset", t.offset, "error", err)
		return
	}
	t.plight.Note(t.name, "write checkpoint", nil)
	t.saved = t.offset
	t.meters.checkpoints.Inc()
	t.meters.checkpointSeconds.UpdateDuration(began)
	fault.Point("detect.checkpointed")
	if err := t.claim.Commit(ctx, t.offset, ""); err != nil && !errors.Is(err, kafkalog.ErrNotOwner) && ctx.Err() == nil {
		t.log.Warn("cannot commit offset", "error", err)
	}
	fault.Point("detect.committed")
}
