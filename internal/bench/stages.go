package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// stage is a worker, and when it has done all there is to do.
type stage struct {
	run  func(context.Context) error
	done func() bool
}

const lookEvery = 5 * time.Millisecond

// finish runs stages until all are done and returns what that took, and what ending them took beside that: last commits and
// checkpoints. Between the two it calls look, which may be nil.
func (b *bench) finish(name string, look func(), stages ...stage) (work, end usage, err error) {
	runtime.GC()
	ctx, cancel := context.WithCancelCause(b.ctx)
	defer cancel(nil)
	before := now()
	err = b.profiled(name, func() error {
		ended := make(chan error, len(stages))
		for _, s := range stages {
			go func() { ended <- s.run(ctx) }()
		}
		poll := time.NewTicker(lookEvery)
		defer poll.Stop()
		running := len(stages)
		for left := stages; len(left) > 0; {
			select {
			case err := <-ended:
				running--
				cancel(err)
				for range running {
					<-ended
				}
				return errors.Join(errors.New("a stage ended before its work was done"), err)
			case <-poll.C:
				if left[0].done() {
					left = left[1:]
				}
			}
		}
		work = now().since(before)
		if look != nil {
			look()
			before = now().since(work)
		}
		cancel(nil)
		for range running {
			err = errors.Join(err, <-ended)
		}
		end = now().since(before).since(work)
		return err
	})
	return work, end, err
}

// ingestStage reads the source topic to its end.
func ingestStage(c *kafkalog.Client, encoding string, records int) (stage, error) {
	set := metrics.NewSet()
	var dims []consumer.Dimension
	for _, d := range dimensions {
		dims = append(dims, consumer.Dimension{Name: d})
	}
	w, err := consumer.New(consumer.Config{
		Client: c, Log: quiet(), Metrics: set, Now: time.Now, TopicPrefix: prefix, Dimensions: dims,
		Sources:   []consumer.SourceTopic{{Topic: sourceTopic, Encoding: encoding}},
		Encodings: map[string]consumer.Format{"otlp_proto": {New: otlp.New}, "driftd_json": {New: driftdjson.New}},
		Linking:   usualLinking,
	})
	if err != nil {
		return stage{}, err
	}
	done := set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_records_total{topic=%q}`, sourceTopic))
	return stage{w.Run, func() bool { return int(done.Get()) >= records }}, nil
}

// detectStage folds the samples topic to its end. count reads its counters by the end of their names.
func detectStage(c *kafkalog.Client, set *rules.Set, samples int) (s stage, count func(name string) int) {
	counts := metrics.NewSet()
	w := detector.NewWorker(detector.WorkerOptions{
		Prefix: prefix, Windows: windows.Options{Dimensions: dimensions}, Now: time.Now,
	}, set, c, counts, quiet())
	count = func(name string) int { return int(counts.GetOrCreateCounter("driftd_detector_" + name).Get()) }
	return stage{w.Run, func() bool { return count("samples_total")+count("too_late_samples_total") >= samples }}, count
}

// ruleSet reads one group that evaluates a rule for every cell of each prompt version.
func ruleSet(rule string) (*rules.Set, error) {
	text := "rubrics: {citation_grounding: {min: 0, max: 1, better: higher}}\n" +
		"groups: [{name: all, match: {prompt: \"*\"}, slice_by: [" + strings.Join(dimensions, ", ") + "], total: false, rules: [" + rule + "]}]\n"
	set, problems := rules.Parse("bench.yaml", []byte(text), rules.Options{Dimensions: dimensions})
	if problems.Errors() > 0 {
		return nil, errors.New(problems.Text())
	}
	return set, nil
}

const (
	meanRule = "{alert: Mean, rubric: citation_grounding, threshold: {stat: mean, window: 1h, below: 0.01}, min_samples: 1}"
	tailRule = "{alert: Tail, metric: latency, threshold: {stat: p95, window: 1h, above: 1000s}, min_samples: 1}"
)
