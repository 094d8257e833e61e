package demo

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"

	"github.com/driftd/driftd/internal/otlpgen"
)

const (
	clients = 12 // of each prompt, all but the last ask the registry
	// A client keeps what the registry said for ttlMin to ttlMax seconds.
	ttlMin, ttlMax = 60, 120
	// A score that comes later does so within so many seconds.
	judgeMin, judgeMax = 5, 60
)

// traffic makes the events, a second at a time. What it gives depends on the seed, the seconds and what the registry said when
// clients asked, and not on the pace. It belongs to one goroutine.
type traffic struct {
	seed    uint64
	begin   time.Time
	current func(prompt string) string // the registry
	cached  [][clients]string          // version by prompt and client
	later   map[int64][]lateScore      // by second
	out     second
}

// second is what happens in one second. It is valid until the next.
type second struct {
	calls  [][]otlpgen.Call // by client, of all prompts together
	scores []lateScore
}

// lateScore is one that comes by itself.
type lateScore struct {
	call otlpgen.Call
	otlpgen.Score
	at time.Time
}

func newTraffic(seed uint64, begin time.Time, current func(prompt string) string) *traffic {
	return &traffic{
		seed: seed, begin: begin, current: current, cached: make([][clients]string, len(prompts)), later: make(map[int64][]lateScore),
		out: second{calls: make([][]otlpgen.Call, len(prompts)*clients)},
	}
}

// next makes the second n since the beginning. Seconds are asked for in order, each once.
func (t *traffic) next(n int64) *second {
	for i := range t.out.calls {
		t.out.calls[i] = t.out.calls[i][:0]
	}
	for i := range prompts {
		t.ask(i, n)
		t.of(i, n)
	}
	t.out.scores = t.later[n]
	delete(t.later, n)
	return &t.out
}

// ask lets the clients whose cache has run out look at the registry.
func (t *traffic) ask(prompt int, n int64) {
	for c := range clients - 1 {
		ttl := int64(ttlMin + (c*37+prompt*11)%(ttlMax-ttlMin+1))
		if t.cached[prompt][c] == "" || (n+int64(c)*29)%ttl == 0 {
			t.cached[prompt][c] = t.current(prompts[prompt].name)
		}
	}
}

// of makes the calls of one prompt.
func (t *traffic) of(i int, n int64) {
	p := &prompts[i]
	r := rand.New(rand.NewPCG(t.seed, uint64(n)<<8|uint64(i)))
	from := t.begin.Add(time.Duration(n) * time.Second)
	for range poisson(r, p.rate*swing(from)) {
		client := r.IntN(clients - 1)
		version, variant := t.cached[i][client], ""
		if r.Float64() < p.pinned.part {
			client, version, variant = clients-1, p.pinned.version, p.pinned.variant
		}
		at := from.Add(time.Duration(1+r.IntN(1e6)) * time.Microsecond) // never the end of the second before
		c := p.call(r, at, version)
		c.Variant = variant
		if r.Float64() < p.judged {
			s := p.score(r, &c)
			if r.Float64() < p.later {
				wait := int64(judgeMin + r.IntN(judgeMax-judgeMin+1))
				t.later[n+wait] = append(t.later[n+wait], lateScore{c, s, at.Add(time.Duration(wait) * time.Second)})
			} else {
				c.Scores = []otlpgen.Score{s}
			}
		}
		t.out.calls[i*clients+client] = append(t.out.calls[i*clients+client], c)
	}
}

// call makes one call of the prompt that ends at time at.
func (p *prompt) call(r *rand.Rand, at time.Time, version string) otlpgen.Call {
	latency := p.latency * math.Exp(0.45*r.NormFloat64())
	in := int(p.input * math.Exp(0.2*r.NormFloat64()))
	out := int(p.output * math.Exp(0.4*r.NormFloat64()))
	c := otlpgen.Call{
		Start: at.Add(-time.Duration(latency * float64(time.Second))), End: at,
		Prompt: p.name, Version: version, Tier: pick(r, tiers), Locale: pick(r, locales), Environment: "production",
		TemplateHash: p.name[:3] + "-" + version, Model: p.model,
		InputTokens: in, OutputTokens: out, Cost: float64(in)*3e-6 + float64(out)*15e-6, TTFT: latency * 0.3,
		Failed: r.Float64() < 0.004,
	}
	binary.BigEndian.PutUint64(c.Trace[:], r.Uint64())
	binary.BigEndian.PutUint64(c.Trace[8:], r.Uint64()|1)
	binary.BigEndian.PutUint64(c.Span[:], r.Uint64()|1)
	return c
}

// score judges a call: a share of eight citations, one to five points, or pass and fail; the mean is that of the version.
func (p *prompt) score(r *rand.Rand, c *otlpgen.Call) otlpgen.Score {
	s := otlpgen.Score{Rubric: p.rubric}
	mean := p.meanScore(c.Version, c.Tier, c.Locale)
	switch p.rubric {
	case grounding:
		s.Value = float64(successes(r, 8, mean)) / 8
	case "helpfulness":
		s.Value = float64(1 + successes(r, 4, (mean-1)/4))
	default:
		s.Label = "fail"
		if r.Float64() < mean {
			s.Label = "pass"
		}
	}
	return s
}

func successes(r *rand.Rand, n int, p float64) (k int) {
	for range n {
		if r.Float64() < p {
			k++
		}
	}
	return k
}

// pick draws a label by its share.
func pick(r *rand.Rand, from []share) string {
	x := r.Float64()
	for _, s := range from {
		if x -= s.part; x < 0 {
			return s.name
		}
	}
	return from[0].name
}

// poisson draws how many events there are when mean are expected; for means of some tens.
func poisson(r *rand.Rand, mean float64) (n int) {
	for limit, x := math.Exp(-mean), r.Float64(); x > limit; n++ {
		x *= r.Float64()
	}
	return n
}

// swing is how busy the hour of the day is, 1 on average over the day.
func swing(t time.Time) float64 {
	hour := float64(t.Hour()) + float64(t.Minute())/60
	return 1 + 0.3*math.Sin((hour-7)/24*2*math.Pi)
}
