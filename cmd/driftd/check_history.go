package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/internal/backtest"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// history is what a file of native events says of the series that sequential rules would watch.
type history struct {
	file        string
	partitions  int
	first, last int64 // minutes with events, Unix
	counts      consumer.FeedCounts
	refused     map[consumer.Reason]int
	sample      map[consumer.Reason]consumer.Refusal // the first of each
	lag         consumer.Lag                         // what came late
	outside     map[string]int                       // scores outside the scale, by rubric
	watched     []*watched                           // in the order of the rules
	outlooks    []outlook                            // of each of them
}

// watched is one sequential rule with what it would see.
type watched struct {
	group  *rules.Group
	rule   *rules.Rule
	view   *windows.View
	series []*series
	index  map[string]*series
}

// series is one that a rule would watch.
type series struct {
	prompt, version string
	cohort          []string // nil is the total
	weights         evidence.Weights
	first, last     int64 // minutes with values
}

// readHistory counts the events of a file, or of standard input for -, as the daemon would. c is nil where there is no config.
func readHistory(ctx context.Context, name string, set *rules.Set, c *config.Config) (*history, error) {
	if c == nil {
		c, _ = config.Load(config.Sources{})
		c.Dimensions = dimensionsOf(set)
	}
	cfg := ingestConfig(c)
	cfg.Scales = fixedScales(set)
	feed, err := consumer.NewFeed(cfg, consumer.SourceTopic{Topic: name, Encoding: "driftd_json"}, 1, func(string) int { return 0 })
	if err != nil {
		return nil, err
	}
	h := &history{file: name, partitions: c.Kafka.Partitions, refused: make(map[consumer.Reason]int), sample: make(map[consumer.Reason]consumer.Refusal), outside: make(map[string]int)}
	store := windows.NewStore(windows.Options{Dimensions: c.Dimensions})
	h.watch(set, store, c.Dimensions)
	outside := make(map[int64]bool) // lines with scores outside their scale
	err = eachLine(ctx, name, func(line int64, text []byte) error {
		if text == nil {
			feed.Refuse(line, consumer.Malformed, "the line is too long")
		} else {
			feed.Add(&consumer.Record{Offset: line, Value: text})
		}
		return h.take(feed, store, outside)
	})
	if err != nil {
		return nil, err
	}
	feed.End()
	if err := h.take(feed, store, outside); err != nil {
		return nil, err
	}
	h.lag = feed.Lag()
	for _, w := range h.watched {
		h.outlooks = append(h.outlooks, w.outlook(h.last, h.partitions))
	}
	switch {
	case len(outside) == 0:
	case name == "-": // gone by
		h.outside[""] = len(outside)
	default:
		err = eachLine(ctx, name, func(line int64, text []byte) error {
			if outside[line] {
				h.countOutside(set, text)
			}
			return nil
		})
	}
	return h, err
}

// eachLine gives the lines of a file with their numbers, from 1; nil for one that is too long.
func eachLine(ctx context.Context, name string, each func(line int64, text []byte) error) error {
	in, _, err := openEvents(name)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := backtest.NewLines(ctx, in)
	for {
		text, line, err := lines.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, backtest.ErrLong):
			text = nil
		case err != nil:
			return fmt.Errorf("read %s behind line %d: %w", name, line-1, err)
		}
		if err := each(line, text); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
}

// dimensionsOf are those that the rules name, where no config says which there are.
func dimensionsOf(set *rules.Set) []string {
	var dims []string
	add := func(name string) {
		if name != "prompt" && name != "version" && !slices.Contains(dims, name) {
			dims = append(dims, name)
		}
	}
	for i := range set.Groups {
		g := &set.Groups[i]
		for name := range g.Match {
			add(name)
		}
		for _, name := range g.SliceBy {
			add(name)
		}
		for j := range g.Rules {
			switch a := g.Rules[j].Against(); a.Kind {
			case rules.AgainstVariant, rules.AgainstEnvironment:
				add(a.Word())
			}
		}
	}
	slices.Sort(dims)
	return dims
}

// fixedScales are those of a set that does not change.
func fixedScales(set *rules.Set) *scales {
	var p atomic.Pointer[rules.Set]
	p.Store(set)
	return (*scales)(&p)
}

// watch makes a view for each sequential rule.
func (h *history) watch(set *rules.Set, store *windows.Store, dims []string) {
	var specs []windows.ViewSpec
	for i := range set.Groups {
		g := &set.Groups[i]
		for j := range g.Rules {
			r := &g.Rules[j]
			if _, ok := r.Budget(); !ok {
				continue
			}
			spec := windows.ViewSpec{
				Metric: r.Metric, Window: time.Minute, By: g.SliceBy, Total: g.Total,
				Match: func(prompt, version string, values []string) bool {
					return g.Matches(func(name string) string {
						switch i := slices.Index(dims, name); {
						case name == "prompt":
							return prompt
						case name == "version":
							return version
						case i >= 0:
							return values[i]
						}
						return ""
					})
				},
			}
			if d := drift(r); d != nil {
				spec.Weigh = &windows.Scale{Min: r.Scale.Min, Max: r.Scale.Max, Mirror: d.Rise}
			} else {
				spec.Over = &r.Exceed.Limit
			}
			specs = append(specs, spec)
			h.watched = append(h.watched, &watched{group: g, rule: r, index: make(map[string]*series)})
		}
	}
	for i, v := range store.SetViews(specs) {
		h.watched[i].view = v
	}
}

// take counts what has come of the events so far.
func (h *history) take(feed *consumer.Feed, store *windows.Store, outside map[int64]bool) error {
	for fed := feed.Next(); fed != nil; fed = feed.Next() {
		n := &h.counts
		n.Records, n.Samples, n.Scores = n.Records+fed.Counts.Records, n.Samples+fed.Counts.Samples, n.Scores+fed.Counts.Scores
		n.Promptless, n.NoCalls = n.Promptless+fed.Counts.Promptless, n.NoCalls+fed.Counts.NoCalls
		for _, r := range fed.Refused {
			if r.Reason == consumer.OutOfRange {
				outside[r.Offset] = true
				continue
			}
			if h.refused[r.Reason]++; h.refused[r.Reason] == 1 {
				h.sample[r.Reason] = r
			}
		}
		for i := range fed.Batches {
			var b windows.Batch
			if err := b.Decode(fed.Batches[i].Data); err != nil {
				return err
			}
			for _, at := range b.Time {
				if m := at / int64(time.Minute); h.first == 0 || m < h.first {
					h.first = m
				}
			}
			store.Fold(&b)
			store.Advance(h.tick)
		}
		feed.Recycle(fed)
	}
	return nil
}

// tick adds the minute that was sealed.
func (h *history) tick(now time.Time) {
	m := now.Unix()/60 - 1
	h.last = m
	for _, w := range h.watched {
		for _, g := range w.view.Fresh() {
			pane := evidence.Weights{}
			if w.rule.Exceed == nil {
				p, _ := g.Pane()
				pane = *p
			} else {
				n, over := g.PaneOver()
				if w.rule.Exceed.Below {
					over = n - over
				}
				pane = evidence.Exceed(n, over)
			}
			if pane.N() == 0 {
				continue
			}
			key := string(windows.AppendKey(windows.AppendKey(nil, g.Prompt, g.Version), g.Cohort...))
			s := w.index[key]
			if s == nil {
				s = &series{prompt: g.Prompt, version: g.Version, cohort: g.Cohort, first: m}
				w.index[key] = s
				w.series = append(w.series, s)
			}
			s.weights.Merge(&pane)
			s.last = m
		}
	}
}

// countOutside counts the scores of an event that are outside their rubric's scale.
func (h *history) countOutside(set *rules.Set, text []byte) {
	var e struct {
		Rubric string             `json:"rubric"`
		Value  *float64           `json:"value"`
		Scores map[string]float64 `json:"scores"`
	}
	if json.Unmarshal(text, &e) != nil {
		return
	}
	count := func(rubric string, v float64) {
		if r, ok := set.Rubrics[rubric]; ok && r.HasRange && !(v >= r.Min && v <= r.Max) {
			h.outside[rubric]++
		}
	}
	if e.Value != nil {
		count(e.Rubric, *e.Value)
	}
	for rubric, v := range e.Scores {
		count(rubric, v)
	}
}

// stream is what the series looks like to a rule that looks once a minute. One more score, half at either end of the scale, is
// thought in: that there was no error yet does not say that there never will be one.
func (s *series) stream() stream {
	n, mean := float64(s.weights.N()), s.weights.Mean()
	squares := n*(s.weights.Variance()+mean*mean) + 0.5
	out := stream{rate: n / float64(s.last-s.first+1), mean: (n*mean + 0.5) / (n + 1)}
	out.sd = math.Sqrt(max(0, squares/(n+1)-out.mean*out.mean))
	return out
}

// name is the series in words.
func (s *series) name(by []string) string {
	name := s.prompt
	if s.version != "" {
		name += " " + s.version
	}
	if len(s.cohort) == 0 {
		return name
	}
	cohort := make(rules.Cohort, len(by))
	for i, d := range by {
		cohort[d] = s.cohort[i]
	}
	return name + " " + cohort.String()
}
