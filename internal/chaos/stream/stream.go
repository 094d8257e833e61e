// Package stream makes the events of a chaos run: spans and scores in both encodings, with disorder, duplicates, what is hopelessly late
// and what no one can use, and the rules that watch them. The same spec gives the same bytes. It writes nothing and starts nothing.
//
// What driftd must make of a stream is a function of the stream alone only where it does not matter how partitions interleave and when
// each was read. So the stream keeps to this, and the oracle rests on it:
//
//   - Inside one partition of a topic, event times go back by less than ten seconds, the disorder that ingest allows. So nothing that
//     counts is late, however the partitions are read against each other, as long as ingest takes none for silent. That is fifteen
//     seconds of its clock behind the last record of a partition, and a minute of it where a partition is not read at all. A pulse each
//     ten seconds keeps partitions alive while the stream is written in time; but a clock that goes as fast as accelerated events makes
//     a quarter of a minute of a short hitch. Whoever disturbs the reading lets the clock stand, ahead of all events: then time comes
//     from the events alone, as when a backlog is worked off.
//   - What is late by more is of two kinds. Hopelessly late events are thirty hours old: in no window, whenever they come. Those that are
//     late by minutes are of the prompt LatePrompt, which no rule watches: they end in their panes, but at which tick depends on how
//     partitions interleave.
//   - What links stands together: parents come within a second of their calls, scores within a minute and in the partition of the same
//     number. What does not link never had a partner.
//   - Rules whose statistic is exact toggle anywhere. Quantiles of many distinct values are of a digest, so values of these jump at full
//     minutes, from far below the bound to far above, and windows are so short that the jump passes the quantile by a wide margin.
//   - Times from the future are of the year 2100, whatever ingest's clock says today.
//
// A partition's records may be written later than they are due, as a whole, to hold it back or to have its producer's clock go wrong:
// that changes no figure and no step.
package stream

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// The topics, behind the prefix. All have as many partitions, and the records of a trace have the same number in each.
const (
	Spans  = "spans"  // otlp_proto: calls, their parents, scores as span events
	Events = "events" // driftd_json: calls, their parents, scores
	Scores = "scores" // driftd_json: scores alone
)

// LatePrompt is the prompt of which some events are late by minutes. No rule watches it.
const LatePrompt = "nightly_digest"

// The prompt that is rolled back, once. It has a model of its own, so that no other prompt can be taken for the cause.
const (
	RollbackPrompt = "returns"
	GoodVersion    = "v1"
	BadVersion     = "v2"
)

// Dimensions are those that the events carry and the rules slice by.
var Dimensions = []string{"tier", "locale"}

// Spec says which stream. Zero values are the defaults.
type Spec struct {
	Seed       uint64
	Begin      time.Time     // event time of the first call; a full quarter of an hour. Default 2026-11-20 14:00 UTC
	Length     time.Duration // event time with traffic, whole minutes. Default 43 min, so that comparisons end with a quarter
	Rate       float64       // calls a second of event time, over all prompts. Default 4; with fewer than 2 the quantiles may be undecided
	Partitions int           // of each source topic. Default 4
	Prefix     string        // of the topics' names
	Poison     float64       // records that no one can use, as a share of all others; negative is none. Default 0.03
	Duplicates float64       // records that come twice, as a share; negative is none. Default 0.02
	// Cut leaves out the rule on the tail of what is any number. Where records will be cut off, or are few, the calls that are left of a minute
	// are about as many as a digest may err by.
	Cut bool
	// Rollback adds RollbackPrompt, of which BadVersion takes over from GoodVersion after a third of the stream and is worse, and a rule that
	// rolls it back by itself: the registry is to know both, and hold the bad one for the current one. The last third is the good one again.
	Rollback bool

	// GrowTo is how many partitions each topic has from GrowAt on, where it is not zero; traces keep to the partitions that they began in.
	GrowTo int
	GrowAt time.Duration
}

// Tail is the event time for which pulses go on behind the traffic, so that all of it is sealed.
const Tail = 4 * time.Minute

// Record is a record of a source topic.
type Record struct {
	Due        time.Duration // since Begin, when its producer would have written it
	Topic      string        // with the prefix
	Partition  int
	Key, Value []byte
}

// Topic is a source topic and how its records are encoded, as the config says it.
type Topic struct{ Name, Encoding string }

// Stream is a stream and what belongs to it.
type Stream struct {
	Spec
	Records []Record // as they are due; those of one partition in the order of its log
	Topics  []Topic
	Rules   string   // a rule file
	Prompts []string // all that the events name
	// Until is the end of comparisons: the last tick that comes for certain. Windows and steps behind it depend on when the run ended.
	Until time.Time
}

// New makes a stream.
func New(spec Spec) *Stream {
	spec = spec.withDefaults()
	g := &generator{
		Spec: spec, minutes: int(spec.Length / time.Minute), rng: rand.New(rand.NewPCG(spec.Seed, 1)),
		twice: rand.New(rand.NewPCG(spec.Seed, 2)), toxic: rand.New(rand.NewPCG(spec.Seed, 3)), bundles: make(map[int]*bundle),
	}
	if g.prompts = prompts; spec.Rollback {
		g.prompts = append(slices.Clone(prompts), prompt{
			name: RollbackPrompt, versions: []string{GoodVersion}, tiers: []string{"free", "enterprise"}, locales: []string{"en", "de"}, weight: 3,
		})
	}
	g.plan()
	g.traffic()
	g.pulses()
	g.late()
	g.poison()
	slices.SortStableFunc(g.records, func(a, b Record) int { return cmp.Compare(a.Due, b.Due) })
	g.repeat()
	s := &Stream{Spec: spec, Records: g.records, Rules: ruleFile(&spec), Until: spec.Begin.Add(spec.Length + 2*time.Minute)}
	s.Topics = []Topic{{spec.Prefix + Spans, "otlp_proto"}, {spec.Prefix + Events, "driftd_json"}, {spec.Prefix + Scores, "driftd_json"}}
	for i := range g.prompts {
		s.Prompts = append(s.Prompts, g.prompts[i].name)
	}
	s.Prompts = append(s.Prompts, pulsePrompt)
	return s
}

func (s Spec) withDefaults() Spec {
	if s.Begin.IsZero() {
		s.Begin = time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	}
	s.Length = cmp.Or(s.Length, 43*time.Minute)
	s.Rate = cmp.Or(s.Rate, 4)
	s.Partitions = cmp.Or(s.Partitions, 4)
	s.Poison = max(cmp.Or(s.Poison, 0.03), 0)
	s.Duplicates = max(cmp.Or(s.Duplicates, 0.02), 0)
	return s
}

// Sources are the lines of a daemon's config for the topics; more is appended to each, such as ", dedup: 10m".
func (s *Stream) Sources(more string) string {
	text := "sources:\n"
	for _, t := range s.Topics {
		text += fmt.Sprintf("  - {topic: %s, encoding: %s%s}\n", t.Name, t.Encoding, more)
	}
	return text
}

// generator makes the records of one stream.
type generator struct {
	Spec
	prompts           []prompt
	minutes           int
	rng, twice, toxic *rand.Rand
	records           []Record
	bundles           map[int]*bundle // spans for the next export request, by partition
	traces            uint64
	bad               map[signal][]bool // by minute
}

// partitions is how many there are at event time at.
func (g *generator) partitions(at time.Time) int {
	if g.GrowTo > 0 && at.Sub(g.Begin) >= g.GrowAt {
		return g.GrowTo
	}
	return g.Partitions
}

// jitter is by how much a record comes behind its event time. With what else delays an event it stays below the allowed disorder.
func (g *generator) jitter() time.Duration {
	return time.Duration(g.rng.Int64N(int64(5 * time.Second)))
}

// add writes a record of an event at that time, delay behind it.
func (g *generator) add(topic string, partition int, at time.Time, delay time.Duration, key string, value []byte) {
	r := Record{Due: at.Add(delay).Sub(g.Begin), Topic: g.Prefix + topic, Partition: partition, Value: value}
	if key != "" {
		r.Key = []byte(key)
	}
	g.records = append(g.records, r)
}

// repeat writes some records once more, right behind the first: a producer that was not answered.
func (g *generator) repeat() {
	all := g.records
	g.records = make([]Record, 0, len(all)+len(all)/8)
	for _, r := range all {
		g.records = append(g.records, r)
		if g.twice.Float64() < g.Duplicates && len(r.Value) > 0 {
			g.records = append(g.records, r)
		}
	}
}
