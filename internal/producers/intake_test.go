package producers

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/windows"
)

// intake is driftd's ingest stage over a route's topics, and what detect would count of its samples.
type intake struct {
	t        *testing.T
	brokers  []string
	cfg      consumer.Config
	samples  *tap
	cursors  map[string]windows.Position
	counted  map[cell]tally
	repeated int // samples that came twice, and count once
}

// cell is a prompt version.
type cell struct{ prompt, version string }

// tally is how many calls and scores a cell got. All calls have tokens here; bare is how many spans without were taken for calls.
type tally struct{ calls, scores, bare int }

// newIntake makes the topics of an ingest stage that runs nothing yet.
func newIntake(t *testing.T, r *rig, of route, partitions int) *intake {
	t.Helper()
	prefix := r.prefix + of.Name + "."
	r.ensure(partitions, prefix+"samples")
	r.ensure(1, prefix+"dead")
	return &intake{
		t: t, brokers: r.Brokers, samples: newTap(t, r.Brokers, prefix+"samples"), cursors: map[string]windows.Position{}, counted: map[cell]tally{},
		cfg: consumer.Config{
			Client: r.client, Log: slog.New(slog.NewTextHandler(says{t}, &slog.HandlerOptions{Level: slog.LevelWarn})), Metrics: metrics.NewSet(), Now: time.Now,
			Sources:     []consumer.SourceTopic{{Topic: of.Spans, Encoding: of.Encoding}, {Topic: of.Logs, Encoding: of.Encoding}},
			Encodings:   map[string]consumer.Format{"otlp_proto": {New: otlp.New}, "otlp_json": {New: otlp.NewJSON}},
			Dimensions:  []consumer.Dimension{{Name: "tier"}, {Name: "locale"}},
			TopicPrefix: prefix, Group: prefix + "ingest",
			Linking:   consumer.Linking{Wait: 5 * time.Second, Horizon: 30 * time.Minute, Memory: 64 << 20},
			Disorder:  5 * time.Second,
			Idle:      2 * time.Second,
			Heartbeat: 500 * time.Millisecond, Commit: 200 * time.Millisecond, GroupHeartbeat: 500 * time.Millisecond,
		},
	}
}

// run starts a worker; the returned function stops it.
func (in *intake) run() (stop func()) {
	in.t.Helper()
	w, err := consumer.New(in.cfg)
	if err != nil {
		in.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			in.t.Error(err)
		}
	})
	in.t.Cleanup(stop)
	return stop
}

// until counts samples as detect does, each once by its position, until done says so.
func (in *intake) until(what string, done func() bool) {
	in.t.Helper()
	if done() {
		return
	}
	in.samples.until(what, func(r *kgo.Record) bool {
		var b windows.Batch
		if err := b.Decode(r.Value); err != nil {
			in.t.Fatal(err)
		}
		source := fmt.Sprintf("%d %v", r.Partition, b.Source)
		for i, pos := range b.Pos {
			if pos.Less(in.cursors[source]) {
				in.repeated++
				continue
			}
			in.cursors[source] = pos.After()
			key, err := windows.SplitKey(nil, b.Cells[b.Cell[i]])
			if err != nil {
				in.t.Fatal(err)
			}
			shape := b.Shapes[b.Shape[i]]
			c := cell{key[0], key[1]}
			n := in.counted[c]
			switch {
			case shape.Mask.Has(windows.BuiltinInputTokens):
				n.calls++
			case shape.Mask.Has(windows.BuiltinError): // every call says whether it failed
				n.bare++
			}
			n.scores += len(shape.Rubrics)
			in.counted[c] = n
		}
		return done()
	})
}

// links are the figures of what needed a link, by what and result.
func (in *intake) links() map[string]uint64 {
	found := map[string]uint64{}
	for _, s := range in.cfg.Sources {
		for _, what := range []string{"call", "score"} {
			for _, result := range []string{"linked", "no_span", "no_prompt", "ambiguous", "nested", "crowded"} {
				n := in.cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_links_total{topic=%q,what=%q,result=%q}`, s.Topic, what, result)).Get()
				if n > 0 {
					found[what+" "+result] += n
				}
			}
		}
	}
	return found
}

// dead are the figures of what was refused, by reason.
func (in *intake) dead() map[string]uint64 {
	var all strings.Builder
	in.cfg.Metrics.WritePrometheus(&all)
	found := map[string]uint64{}
	for line := range strings.Lines(all.String()) {
		rest, ok := strings.CutPrefix(line, `driftd_consumer_dead_total{reason="`)
		if !ok {
			continue
		}
		reason, _, _ := strings.Cut(rest, `"`)
		var n uint64
		if _, err := fmt.Sscan(line[strings.LastIndexByte(strings.TrimSpace(line), ' '):], &n); err != nil {
			in.t.Fatal(err)
		}
		if n > 0 {
			found[reason] += n
		}
	}
	return found
}

// differs tells the cells that were counted otherwise than wanted.
func (in *intake) differs(want map[cell]tally) bool { return !maps.Equal(in.counted, want) }

// says passes on what is logged, while the test runs.
type says struct{ t *testing.T }

func (s says) Write(b []byte) (int, error) {
	if s.t.Context().Err() == nil {
		s.t.Logf("%s", b)
	}
	return len(b), nil
}
