package detector

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// stream is a part of the traffic of a story: calls of a prompt version in one cohort, each of them scored.
type stream struct {
	prompt, version string
	tier, locale    string
	variant, env    string        // dimensions of the story where a stream has them
	from, to        time.Duration // since scriptStart; to 0 is the end
	rate            float64       // calls a minute
	mean            float64       // of the scores
	change          []turnTo      // later means
	spread          float64       // standard deviation of the scores, 0.12 where it is 0
	model, hash     []valueFrom
	fallback        []turnTo // share of calls with the fallback prompt
	latency         float64  // seconds on average; 0 is none
}

type turnTo struct {
	at   time.Duration
	mean float64
}

type valueFrom struct {
	at    time.Duration
	value string
}

func (s *stream) now(at time.Duration, mean float64, change []turnTo) float64 {
	for _, c := range change {
		if at >= c.at {
			mean = c.mean
		}
	}
	return mean
}

func label(at time.Duration, values []valueFrom) (s string) {
	for _, v := range values {
		if at >= v.at {
			s = v.value
		}
	}
	return s
}

// tell lets a story happen and returns the records of its steps. Prompts are p unless a stream says otherwise.
func tell(t testing.TB, ruleFile string, length time.Duration, seed uint64, streams ...stream) []Record {
	t.Helper()
	return tellWith(t, 0, ruleFile, length, seed, streams...)
}

// tellWith starts the partition anew from a checkpoint each time that so long has gone by; 0 is never.
func tellWith(t testing.TB, restart time.Duration, ruleFile string, length time.Duration, seed uint64, streams ...stream) []Record {
	t.Helper()
	opts := windows.Options{Dimensions: slices.Clone(scriptOptions.Dimensions)}
	if slices.ContainsFunc(streams, func(s stream) bool { return s.variant+s.env != "" }) {
		opts.Dimensions = append(opts.Dimensions, "variant", "environment")
	}
	set, problems := rules.Parse("rules.yaml", []byte(ruleFile), rules.Options{Dimensions: opts.Dimensions})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	p := NewPartition(PartitionOptions{Windows: opts, Rules: set})
	r := rand.New(rand.NewPCG(seed, 1))
	var out []Record
	var offset int64
	log := stateLog{options: opts}
	for at := time.Duration(0); at < length; at += time.Minute {
		if restart > 0 && at > 0 && at%restart == 0 {
			p = log.reopen(t, p, set)
		}
		var samples []windows.Sample
		for i := range streams {
			samples = streams[i].minute(r, at, len(opts.Dimensions) > 2, samples)
		}
		slices.SortStableFunc(samples, func(a, b windows.Sample) int { return int(a.Time - b.Time) })
		e := windows.NewEncoder()
		for i := range samples {
			samples[i].Offset = offset
			offset++
			e.Add(&samples[i])
		}
		now := scriptStart.Add(at + time.Minute).UnixNano()
		out = append(out, applyRaw(t, p, e.AppendBatch(nil, &windows.Header{
			Source: windows.Source{Topic: "spans"}, Clock: now, Watermark: now, Dimensions: opts.Dimensions,
		}))...)
	}
	return out
}

// minute appends the stream's calls of a minute.
func (s *stream) minute(r *rand.Rand, at time.Duration, more bool, samples []windows.Sample) []windows.Sample {
	if at < s.from || s.to > 0 && at >= s.to {
		return samples
	}
	n := int(s.rate)
	if r.Float64() < s.rate-float64(n) {
		n++
	}
	prompt, spread := s.prompt, s.spread
	if prompt == "" {
		prompt = "p"
	}
	if spread == 0 {
		spread = 0.12
	}
	cell := windows.AppendKey(nil, prompt, s.version, s.tier, s.locale)
	if more {
		cell = windows.AppendKey(cell, s.variant, s.env)
	}
	for i := range n {
		when := scriptStart.Add(at + time.Minute*time.Duration(i)/time.Duration(n))
		v := min(max(s.now(at, s.mean, s.change)+spread*r.NormFloat64(), 0), 1)
		sample := windows.Sample{
			Time: when.UnixNano(), Cell: cell, Mask: windows.MaskCall,
			Axes:   windows.AppendKey(nil, label(at, s.hash), label(at, s.model), s.variant, s.env),
			Scores: []windows.Score{{Rubric: []byte("grounding"), Value: v}},
		}
		set := func(metric string, v float64) {
			b := slices.Index(windows.BuiltinNames[:], metric)
			sample.Mask |= 1 << b
			sample.Values[b] = v
		}
		if len(s.fallback) > 0 {
			v := 0.0
			if r.Float64() < s.now(at, 0, s.fallback) {
				v = 1
			}
			set(windows.Fallback, v)
		}
		if s.latency > 0 {
			set(windows.Latency, s.latency*(0.8+0.4*r.Float64())*s.now(at, 1, s.change))
		}
		samples = append(samples, sample)
	}
	return samples
}

// spreadOver makes streams of one for every tier and locale, a share of the rate each.
func spreadOver(s stream, change func(*stream)) (out []stream) {
	tiers := map[string]float64{"free": 0.5, "pro": 0.3, "enterprise": 0.2}
	locales := map[string]float64{"en": 0.5, "de": 0.2, "fr": 0.3}
	for _, tier := range []string{"free", "pro", "enterprise"} {
		for _, locale := range []string{"en", "de", "fr"} {
			one := s
			one.tier, one.locale, one.rate = tier, locale, s.rate*tiers[tier]*locales[locale]
			if change != nil {
				change(&one)
			}
			out = append(out, one)
		}
	}
	return out
}

// firings are the firing steps of a rule.
func firings(rs []Record, rule string) (out []Record) {
	for _, r := range rs {
		if r.Type == Firing && (rule == "" || r.Rule == rule) {
			out = append(out, r)
		}
	}
	return out
}
