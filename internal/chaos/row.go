package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/driftd/driftd/internal/chaos/oracle"
	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
)

// Kinds of brokers.
const (
	embeddedKafka = "embedded"
	apacheKafka   = "apache"
)

// row is one fault of the matrix.
type row struct {
	name   string            // for --fault
	does   string            // for the table: what happens to driftd
	rounds int               // how often, unless told otherwise
	once   bool              // it comes once, whatever is asked for
	not    map[string]string // kinds of brokers on which it cannot be had, and why
	own    bool              // it hurts the broker, and so needs one of its own
	nodes  int               // that it has on Apache Kafka; default 1
	slot   time.Duration     // event time of a round; default slot
	do     func(*run) error
}

// run is a row under way. What it begins with do is a world with a stream; what it ends with is finish.
type run struct {
	*matrix
	row    *row
	ctx    context.Context
	dir    string
	rounds int
	rng    *rand.Rand // of the schedule
	world  *rig.World
	result *result
	apart  *apart               // what the oracle is not told of; nil is nothing
	alter  func(*stream.Stream) // changes the stream before anything is written; nil is as it is
	wire   *rig.Wire            // in front of brokers that are the row's own

	met  int        // faults that somebody has met
	hush string     // the prompt that is silenced; empty for none
	fed  chan error // what became of the stream's writing

	kept   []oracle.Record // that stood in the source topics, see remember
	passed []passed
	gap    int64            // records that driftd has counted as never read
	ends   map[string]int64 // of the source partitions when driftd was stopped last
	dedup  time.Duration    // of the sources
}

// result is what came of a row. Counts of -1 were not looked for.
type result struct {
	rounds, events           int
	lost, doubled            int
	windows                  int // wrong ones
	missing, repeated        int // steps of alerts
	unreceived, receivedMore int // by Slack, the webhook and the registry
	steps                    int // of alerts that had to come
	recovery                 []time.Duration
	notes                    []string // for people, behind the row
	differences              []string
	skipped                  string // why it cannot be had
	dir                      string
	took                     time.Duration
	err                      error
}

func (r *result) wrong() bool { return r.err != nil || len(r.differences) > 0 }

// limit is how long a row may take.
const limit = 5 * time.Minute

// try runs a row.
func (m *matrix) try(ctx context.Context, ro *row) *result {
	res := &result{}
	if why, ok := ro.not[m.kafka]; ok {
		res.skipped = why
		return res
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errors.New("the row takes too long"))
	defer cancel()
	h := fnv.New64a()
	h.Write([]byte(ro.name))
	r := &run{matrix: m, row: ro, ctx: ctx, dir: filepath.Join(m.dir, ro.name), rounds: ro.rounds, rng: rand.New(rand.NewPCG(m.seed, h.Sum64())), result: res}
	r.wire = rig.NewWire(r.rng.Uint64())
	switch {
	case ro.once:
		r.rounds = 1
	case m.rounds > 0:
		r.rounds = m.rounds
	case m.short:
		r.rounds = 1
	}
	began := time.Now()
	res.dir = r.dir
	if res.err = os.MkdirAll(r.dir, 0o755); res.err == nil {
		res.err = ro.do(r)
	}
	res.took = time.Since(began)
	if r.world != nil {
		r.world.Close()
		r.world.Brokers.Close()
	}
	if res.wrong() || m.keep {
		res.keep()
	} else {
		os.RemoveAll(r.dir)
	}
	return res
}

// keep writes down what was wrong beside the logs.
func (r *result) keep() {
	text := ""
	if r.err != nil {
		text = fmt.Sprintln(r.err)
	}
	for _, d := range r.differences {
		text += d + "\n"
	}
	_ = os.WriteFile(filepath.Join(r.dir, "differences.txt"), []byte(text), 0o644)
}

const (
	// speed is event seconds a second.
	speed = 60
	// slot is the event time of one round: the fault comes in its first half.
	slot = 4 * time.Minute
	// fewLanes is how many partitions driftd's topics have in a short run.
	fewLanes = 2
	// lull is the event time before the first round.
	lull = 3 * time.Minute
)

// open makes the row's world, with a stream that is long enough for its rounds.
func (r *run) open(spec stream.Spec, change func(*rig.Options)) (err error) {
	spec.Seed, spec.Prefix = r.seed, r.row.name+"."
	if spec.Length == 0 {
		spec.Length = lull + time.Duration(r.rounds)*r.slot()
	}
	o := rig.Options{Dir: r.dir, Program: r.program, Speed: speed}
	if r.short { // what goes from each partition to each takes the processors
		spec.Partitions, o.Partitions = cmp.Or(spec.Partitions, 3), fewLanes
	}
	if o.Brokers, err = r.brokers(); err != nil {
		return err
	}
	if change != nil {
		change(&o)
	}
	if spec.Rollback = !o.NoRegistry; spec.Rollback { // streams are short
		o.Keys += "rollback: {min_samples: 20}\n"
	}
	o.Stream = stream.New(spec)
	if r.alter != nil {
		r.alter(o.Stream)
	}
	if r.world, err = rig.Open(r.ctx, o); err != nil {
		return err
	}
	if spec.Rollback {
		r.world.Registry.Set(stream.RollbackPrompt, stream.GoodVersion)
		r.world.Registry.Set(stream.RollbackPrompt, stream.BadVersion)
	}
	r.fed = make(chan error, 1)
	go func() { r.fed <- r.world.Feed.Run(r.ctx) }()
	return nil
}

// brokers are those that all rows share, or some that may be hurt. The embedded one is each row's own.
func (r *run) brokers() (rig.Brokers, error) {
	if r.kafka == embeddedKafka {
		return rig.StartEmbedded(filepath.Join(r.dir, "kafka"), r.wire)
	}
	if !r.row.own {
		c, err := r.shared()
		return rig.Shared{Brokers: c}, err
	}
	return rig.StartApache(r.row.nodes, r.wire)
}

// each does f in every round, at a moment of event time that the seed gives. The clock does not go on into the next round before f is
// back.
func (r *run) each(f func(round int) error) error {
	w := r.world
	for i := range r.rounds {
		from := w.Stream.Begin.Add(lull + time.Duration(i)*r.slot())
		at := from.Add(time.Duration(r.rng.Int64N(int64(slot / 2))))
		w.Feed.Allow(from.Add(r.slot()))
		if err := w.Feed.Await(r.ctx, at); err != nil {
			return err
		}
		if err := f(i); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		r.result.rounds++
	}
	return nil
}

func (r *run) slot() time.Duration { return cmp.Or(r.row.slot, slot) }

// over is closed when the stream is written, if that is asked for.
func (r *run) over(asked bool) <-chan struct{} {
	if !asked {
		return nil
	}
	r.world.Feed.Allow(r.world.Feed.End())
	return r.world.Feed.Done()
}

// ticks waits until the rules were evaluated up to event time at.
func (r *run) ticks(at time.Time) error {
	r.world.Feed.Allow(at.Add(90 * time.Second)) // watermarks are some seconds behind the clock
	return r.world.AwaitTick(r.ctx, at)
}

// recovers waits until the rules were evaluated up to the event time at which it is called, and notes how long that took since then.
func (r *run) recovers(since time.Time, at time.Time) error {
	if err := r.ticks(at); err != nil {
		return err
	}
	r.result.recovery = append(r.result.recovery, time.Since(since))
	return nil
}

// differs notes a difference that the comparison does not look for.
func (r *run) differs(format string, args ...any) {
	r.result.differences = append(r.result.differences, fmt.Sprintf(format, args...))
}

// pause lets time go by on the wall clock: faults take their time.
func (r *run) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.ctx.Done():
	}
}

// note says something for people behind the row.
func (r *run) note(format string, args ...any) {
	r.result.notes = append(r.result.notes, fmt.Sprintf(format, args...))
}

// finish lets the stream come to its end, waits until driftd has told all that there is to tell, ends it as SIGTERM does, and compares.
func (r *run) finish() error {
	w := r.world
	w.Feed.Allow(w.Feed.End())
	select {
	case err := <-r.fed:
		if err != nil {
			return fmt.Errorf("write the stream: %w", err)
		}
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"rules evaluated", func() error { return w.AwaitTick(r.ctx, w.Stream.Until.Add(time.Minute)) }}, // the last tick that comes
		{"receivers told", func() error { return w.AwaitTold(r.ctx) }},
		{"driftd ended", func() error { return w.Stop(r.ctx) }},
		{"compared", r.compare},
	} {
		began := time.Now()
		if err := step.do(); err != nil {
			return err
		}
		w.Log.Info(step.name, "took", time.Since(began).Round(time.Millisecond))
	}
	return nil
}
