package main

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/otlpgen"
)

var inputRows = []row{
	{name: "poison", does: "bad records of every kind in every batch", once: true, do: poison},
	{name: "duplicates", does: "sent twice, each counts; SIGKILL", rounds: 2, do: duplicates},
	{name: "duplicates-dedup", does: "sent twice, dedup: 10m; SIGKILL", rounds: 3, do: deduplicated},
	{name: "disorder-held", does: "partition held back for hours", once: true, do: heldBack},
	{name: "disorder-skew", does: "producers' clocks ±2 min", once: true, do: skewed},
}

// poison puts three bad records beside each good one, so that each batch of the stream has bad ones of every kind.
func poison(r *run) error {
	if err := r.open(stream.Spec{Poison: 3, Length: lull + slot}, nil); err != nil {
		return err
	}
	return r.through()
}

// duplicates sends every other record once more within the allowed disorder: two records are two events.
func duplicates(r *run) error {
	r.alter = func(s *stream.Stream) { r.sendAgain(s, 0.5, 2*time.Second) }
	return r.killedWhile(nil)
}

// deduplicated sends them again soon or after minutes, when driftd has been killed and started again, to sources that count each once.
func deduplicated(r *run) error {
	r.dedup = 10 * time.Minute
	r.alter = func(s *stream.Stream) {
		r.sendAgain(s, 0.5, 2*time.Second)
		r.sendAgain(s, 0.5, 4*time.Minute)
	}
	return r.killedWhile(func(o *rig.Options) { o.Sources = ", dedup: 10m" })
}

// through runs driftd to the end of the stream, which has all of the fault in it.
func (r *run) through() error {
	if _, err := r.world.Start("all"); err != nil {
		return err
	}
	r.result.rounds = 1
	return r.finish()
}

// killedWhile kills the only process in each round.
func (r *run) killedWhile(change func(*rig.Options)) error {
	if err := r.open(stream.Spec{}, change); err != nil {
		return err
	}
	p, err := r.world.Start("all")
	if err != nil {
		return err
	}
	err = r.each(func(int) error {
		began, at := time.Now(), r.world.Clock.True()
		p.Kill()
		if p, err = r.world.Start("all"); err != nil {
			return err
		}
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// sendAgain writes a share of the records once more, up to most later. Those that come minutes later are such as have ids: the others
// would be late events of their own, and what rules find at a tick would depend on how partitions interleave.
func (r *run) sendAgain(s *stream.Stream, share float64, most time.Duration) {
	for _, rec := range s.Records {
		known := rec.Topic == s.Prefix+stream.Spans || bytes.Contains(rec.Value, []byte(`"span_id"`))
		if len(rec.Value) == 0 || r.rng.Float64() >= share || most > step && !known {
			continue
		}
		rec.Due += time.Duration(r.rng.Int64N(int64(most)))
		s.Records = append(s.Records, rec)
	}
	inOrder(s)
}

// step is the disorder that records may be given in addition to what the stream has already.
const step = 2 * time.Second

func inOrder(s *stream.Stream) {
	slices.SortStableFunc(s.Records, func(a, b stream.Record) int { return cmp.Compare(a.Due, b.Due) })
}

const (
	reportTopic  = "reports"
	reportPrompt = "monthly_report"
)

// report adds a topic of calls that name their prompt, which no rule watches: one each two seconds in each partition. late is by how much
// a record comes behind the call, and skew by how much the clock is wrong that says when the call was.
func report(s *stream.Stream, rng *rand.Rand, late, skew func(partition int, at time.Duration) time.Duration) {
	topic := stream.Topic{Name: s.Prefix + reportTopic, Encoding: "driftd_json"}
	s.Topics = append(s.Topics, topic)
	s.Prompts = append(s.Prompts, reportPrompt)
	for at := time.Duration(0); at < s.Length; at += 2 * time.Second {
		for p := range s.Partitions {
			s.Records = append(s.Records, stream.Record{
				Due: at + late(p, at), Topic: topic.Name, Partition: p,
				Value: fmt.Appendf(nil, `{"type":"span","time":%d,"trace_id":"%016x%016x","span_id":"%016x","prompt":%q,"version":"v%d","tier":"free","latency":%g,"cost":%g,"scores":{"worth":%g}}`,
					s.Begin.Add(at+skew(p, at)).UnixNano(), rng.Uint64()|1, rng.Uint64(), rng.Uint64()|1, reportPrompt, 1+rng.IntN(2),
					float64(1+rng.IntN(40))/10, float64(1+rng.IntN(40))/1000, float64(rng.IntN(5))/4),
			})
		}
	}
	inOrder(s)
}

func never(int, time.Duration) time.Duration { return 0 }

// heldBack holds one partition back for two hours, while those beside it go on, and releases it then. What comes so late joins the
// windows that it belongs to.
func heldBack(r *run) error {
	hours, more := 2*time.Hour, slot
	if r.short {
		hours = 20 * time.Minute
	}
	from := lull
	r.alter = func(s *stream.Stream) {
		report(s, r.rng, func(p int, at time.Duration) time.Duration {
			if p == 2 && at >= from && at < from+hours {
				return from + hours - at
			}
			return 0
		}, never)
	}
	if err := r.open(stream.Spec{Length: lull + hours + more, Rate: 1, Cut: true}, func(o *rig.Options) { o.Speed = 4 * speed }); err != nil {
		return err
	}
	return r.through()
}

// skewed has producers whose clocks are two minutes ahead and behind. Where each has partitions of its own, they are waited for; where they
// share them, one's events come late, but count.
func skewed(r *run) error {
	const wrong, before = 2 * time.Minute, 30 * time.Second
	r.alter = func(s *stream.Stream) {
		for i := range s.Records {
			switch rec := &s.Records[i]; rec.Partition {
			case 1:
				rec.Due = max(rec.Due-wrong, before) // it says that it is later than it is
			case 2:
				rec.Due += wrong
			}
		}
		for at := time.Duration(0); at < wrong; at += 4 * time.Second { // until then they write of before the stream's begin
			end := uint64(s.Begin.Add(at - wrong).UnixNano())
			id := fmt.Appendf(nil, "%016d", at)
			for topic, value := range map[string][]byte{
				stream.Spans:  otlpgen.AppendSpans(nil, nil, otlpgen.Span{Trace: id, ID: id[8:], Name: "GET /health", Start: end - 1e6, End: end}),
				stream.Events: fmt.Appendf(nil, `{"type":"span","kind":"other","time":%d,"trace_id":"%x","span_id":"%x"}`, end, id, id[8:]),
				stream.Scores: nil,
			} {
				s.Records = append(s.Records, stream.Record{Due: at, Topic: s.Prefix + topic, Partition: 2, Value: value})
				if at < before {
					s.Records = append(s.Records, stream.Record{Due: at, Topic: s.Prefix + topic, Partition: 1, Value: value})
				}
			}
		}
		report(s, r.rng, never, func(_ int, at time.Duration) time.Duration {
			if at/(2*time.Second)%2 == 0 {
				return wrong
			}
			return -wrong
		})
	}
	if err := r.open(stream.Spec{Length: lull + 2*slot}, nil); err != nil {
		return err
	}
	return r.through()
}
