package alert

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
)

// many makes the steps of n alerts of as many prompts, as detect writes them.
func many(n, step int, typ detector.RecordType) []Entry {
	out := make([]Entry, n)
	for i := range out {
		v, bound := 0.78, 0.85
		out[i] = Entry{Offset: int64(i), Record: detector.Record{
			ID: fmt.Sprintf("%032x", i), Step: step, Type: typ, Time: t0.Add(time.Duration(step) * time.Minute), Group: "support", Rule: "GroundingRegressed",
			Prompt: fmt.Sprintf("prompt_%05d", i), Version: "v23", Cohort: map[string]string{"tier": "enterprise", "locale": "de"}, Metric: "citation_grounding",
			Kind: "threshold", Value: &v, Bound: &bound, Interval: []float64{0.75, 0.81}, Samples: 412, Window: "1h", Exemplars: []string{fmt.Sprintf("%032x", i+1)},
			Labels:      map[string]string{"severity": "page", "team": "support-ml"},
			Annotations: map[string]string{"summary": "citation grounding is low", "runbook_url": "https://runbooks.example/grounding"},
		}}
	}
	return out
}

// board is a channel: the newest text of each message.
type board struct {
	interval time.Duration
	mu       sync.Mutex
	shows    map[string]string // by prompt
	times    int
}

func (b *board) Traits() Traits { return Traits{Interval: b.interval, Updates: true} }

func (b *board) Deliver(_ context.Context, n *Notification) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.times++
	r := &n.Worst().Record
	b.shows[r.Prompt] = fmt.Sprintf("%s %d", r.Type, r.Step)
	return r.Prompt, nil
}

// Ten thousand alerts that fire at once are told at the pace that the receiver allows, one message each, in n × interval; what
// changes meanwhile is not told twice, and in the end each shows its latest state.
func TestOutboxTenThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		r := &board{interval: time.Second, shows: map[string]string{}}
		m := newMemLog(4)
		add := func(es []Entry) {
			for i := range es {
				m.add(t, i%4, es[i].Record)
			}
		}
		add(many(n, 2, detector.Firing))
		l, stop := m.run(t, newTestOutbox(r))
		time.Sleep(10 * time.Second)
		worse := many(n, 3, detector.Firing)
		add(worse) // nearly all of them before they are told
		resolved := many(1000, 4, detector.Resolved)
		add(resolved)
		synctest.Wait()
		r.mu.Lock()
		early := len(r.shows)
		r.mu.Unlock()
		if early > 12 {
			t.Fatalf("%d were told in 10 s", early)
		}
		if got := l.state.Load().Outstanding; got < n-1000-12 {
			t.Errorf("%d outstanding", got)
		}
		begin := time.Now()
		for l.state.Load().Outstanding > 0 {
			time.Sleep(time.Minute)
		}
		// What was over before it was told comes last, and not at all when that is an hour ago.
		if took := time.Since(begin); took > (n+2*12)*time.Second+2*time.Minute {
			t.Errorf("drained in %v", took)
		}
		r.mu.Lock()
		if r.times > n+2*12 {
			t.Errorf("%d messages for %d alerts", r.times, n)
		}
		for i, e := range worse {
			got := r.shows[e.Record.Prompt]
			if i < 1000 && got != "resolved 4" && got != "" || i >= 1000 && got != "firing 3" {
				t.Fatalf("%s shows %q", e.Record.Prompt, got)
			}
		}
		r.mu.Unlock()
		stop()
		r.times = 0
		_, stop = m.run(t, newTestOutbox(r))
		time.Sleep(time.Minute)
		stop()
		if r.times > 0 {
			t.Errorf("a restart told %d again", r.times)
		}
	})
}

// nowhere is a journal that takes everything.
type nowhere struct{ core Core }

func (j nowhere) Append(_ context.Context, part int, records ...detector.Record) error {
	for _, r := range records {
		j.core.Fold(part, Entry{Record: r})
	}
	return nil
}

// BenchmarkOutbox10000 is what one of ten thousand alerts that fire at once costs: to learn, to tell and to be remembered.
func BenchmarkOutbox10000(b *testing.B) {
	const n = 10_000
	b.ReportAllocs()
	var bytes, learn, tell float64
	heap := func() float64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&s)
		return float64(s.HeapAlloc)
	}
	for b.Loop() {
		b.StopTimer()
		before := heap()
		es := many(n, 2, detector.Firing)
		o := NewOutbox(testConfig(&board{shows: map[string]string{}}))
		o.Begin(0, -1)
		o.Live(0)
		b.StartTimer()
		start := time.Now()
		for i := range es {
			o.Fold(0, es[i])
			if i%64 == 0 {
				o.Due()
			}
		}
		learned := time.Now()
		for {
			if _, ok := o.Due(); !ok || o.outstanding == 0 {
				break
			}
			o.Act(b.Context(), nowhere{o})
		}
		learn += float64(learned.Sub(start).Nanoseconds()) / n
		tell += float64(time.Since(learned).Nanoseconds()) / n
		b.StopTimer()
		es = nil
		bytes += (heap() - before) / n
		if o.outstanding > 0 || len(o.ledger.groups) != n {
			b.Fatalf("%d outstanding of %d groups", o.outstanding, len(o.ledger.groups))
		}
		b.StartTimer()
	}
	runtime.KeepAlive(b)
	b.ReportMetric(bytes/float64(b.N), "bytes/alert")
	b.ReportMetric(learn/float64(b.N), "ns/alert-learnt")
	b.ReportMetric(tell/float64(b.N), "ns/delivery")
}
