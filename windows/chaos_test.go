package windows

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// chaos is a log in which everything happens: sources with disorder that fall silent, lag behind and come back, batches that come
// twice, records cut over batches, samples up to a day late, silence of hours, an outage of ingest, versions, cohorts and rubrics
// that come and go beyond their limits, calls without a version, scores that come by themselves, equal values.
func chaos(seed uint64, steps int) (batches [][]byte) {
	r := rand.New(rand.NewPCG(seed, 99))
	type state struct {
		enc    *Encoder
		at     Position
		behind int64 // event time
	}
	sources := make([]*state, 4)
	for i := range sources {
		sources[i] = &state{enc: NewEncoder()}
	}
	pick := func(prefix string, n int, at int64, life time.Duration) string {
		return fmt.Sprint(prefix, r.IntN(n)+int(at/int64(life))%1000)
	}
	now := bombStart * minuteNanos
	for range steps {
		now += int64(r.IntN(20)) * 1e9
		switch r.IntN(300) {
		case 0:
			now += int64(r.IntN(100)) * minuteNanos
		case 1, 2:
			sources[r.IntN(4)].behind = int64(r.IntN(90)) * minuteNanos
		}
		i := r.IntN(4)
		if i > 1 && now/int64(2*time.Hour)%3 == int64(i-1) {
			i = r.IntN(2)
		}
		src := sources[i]
		src.behind = max(0, src.behind-int64(r.IntN(60))*1e9)
		front := now - src.behind
		for range r.IntN(25) {
			at := front - int64(r.IntN(9000))*1e6
			switch r.IntN(100) {
			case 0:
				at -= int64(r.IntN(60)) * minuteNanos
			case 1:
				at -= int64(r.IntN(24)) * int64(time.Hour)
			}
			s := Sample{
				Position: src.at, Time: at, Mask: MaskCall | MaskTrace | 1<<BuiltinLatency | 1<<BuiltinError,
				Cell: AppendKey(nil, pick("p", 2, at, 50*time.Hour), pick("v", 3, at, 7*time.Hour), pick("t", 3, at, 5*time.Hour), pick("l", 2, at, 90*time.Hour)),
			}
			if r.IntN(6) == 0 {
				s.Cell = AppendKey(nil, pick("p", 2, at, 50*time.Hour), "", pick("t", 3, at, 5*time.Hour), pick("l", 2, at, 90*time.Hour))
			}
			if r.IntN(6) == 0 {
				s.Mask = MaskTrace
			}
			s.Axes = AppendKey(nil, pick("h", 2, at, 3*time.Hour), pick("m", 2, at, 11*time.Hour), "", "")
			binary.LittleEndian.PutUint64(s.TraceID[:], r.Uint64())
			s.Values[BuiltinLatency], s.Values[BuiltinError] = float64(r.IntN(500))/7, float64(r.IntN(2))
			if r.IntN(2) == 0 {
				s.Scores = append(s.Scores, Score{[]byte("grounding"), scores[r.IntN(len(scores))]})
			}
			if r.IntN(5) == 0 {
				s.Scores = append(s.Scores, Score{[]byte(pick("junk", 50, at, 20*time.Minute)), -r.Float64()})
			}
			src.enc.Add(&s)
			if src.at = src.at.After(); r.IntN(4) == 0 {
				src.at = Position{src.at.Offset + 1 + int64(r.IntN(3)), 0}
			}
		}
		batches = append(batches, src.enc.AppendBatch(nil, &Header{
			Source: Source{Topic: "spans", Partition: int32(i)}, Clock: now, Watermark: front - 10e9, Dimensions: testDimensions,
		}))
		src.enc.Reset()
		if r.IntN(10) == 0 {
			batches = append(batches, batches[r.IntN(len(batches))])
		}
	}
	return batches
}

// instance is a store that works through a log, as the detect stage does.
type instance struct {
	*Store
	views []*View
	at    int // next batch
}

var chaosOptions = Options{Dimensions: testDimensions, MaxSeries: 150, MaxCohorts: 5, MaxVersions: 4}

// stateLog is a state partition whose records are gone a little more than a day after they were written.
type stateLog struct {
	memoryLog
	written []int64 // event time of each record
	now     int64
}

func (l *stateLog) write(records [][]byte) ([]int64, error) {
	offsets, err := l.memoryLog.write(records)
	for range offsets {
		l.written = append(l.written, l.now)
	}
	for i := 0; l.written[i] < l.now-int64(25*time.Hour); i++ {
		l.records[i] = nil
	}
	return offsets, err
}

func start(t *testing.T, log *stateLog) *instance {
	t.Helper()
	in := &instance{Store: NewStore(chaosOptions)}
	f := NewFinder()
	for _, r := range log.records {
		f.Add(r)
	}
	if cp, ok := f.Best(); ok {
		extra, err := in.Restore(cp, log.read)
		if err != nil {
			t.Fatal(err)
		}
		in.at = int(binary.LittleEndian.Uint64(extra))
	}
	in.views = in.SetViews(testViews)
	return in
}

// step folds the next batch and says what the views show at each tick. between is called before the ticks.
func (in *instance) step(t *testing.T, batches [][]byte, seen func(now int64, figures []string), between func()) {
	tick := func(now time.Time) {
		if now.Minute()%5 == 0 || now.Minute()%60 == 1 {
			seen(now.Unix(), in.figures())
		}
	}
	in.Advance(tick) // what is due when the checkpoint was made before
	fold(t, in.Store, batches[in.at])
	in.at++
	between()
	in.Advance(tick)
}

func (in *instance) figures() []string {
	slow := in.sealed%hour == 1
	all := []string{fmt.Sprint(in.Stats().Cells, in.Stats().Series)}
	for i, v := range in.views {
		for _, g := range v.Groups() {
			if g.Count() > 0 {
				line := fmt.Sprintf("%d %q %d %v %s %v %v %v", i, g.key, g.Count(), g.Sum(), in.Previous(g.Prompt, g.Version), g.Quantile(0.5), g.Quantile(0.95), g.Max())
				if v.spec.Exemplars {
					line += fmt.Sprint(g.Exemplars())
				}
				if slow {
					line += fmt.Sprint(g.Distribution(nil))
				}
				all = append(all, line)
			}
		}
	}
	for _, prompt := range in.Prompts() {
		if !slow {
			break
		}
		for _, v := range in.Versions(prompt) {
			q, end := Query{Prompt: prompt, Version: v.Version}, time.Unix(60*in.sealed, 0)
			all = append(all, fmt.Sprint(q, in.Between(q, Latency, end.Add(-7*time.Hour), end), in.Cohorts(prompt, v.Version)))
		}
	}
	for i, v := range in.views {
		for _, g := range v.Fresh() {
			weights, clamped := g.Pane()
			n, over := g.PaneOver()
			all = append(all, fmt.Sprint(i, g.key, *weights, clamped, n, over, g.PaneAxes()))
		}
	}
	slices.Sort(all) // groups lie as they were first met
	return all
}

func (in *instance) save(t *testing.T, log *stateLog) {
	t.Helper()
	log.now = max(log.now, in.watermark)
	if err := in.Checkpoint(binary.LittleEndian.AppendUint64(nil, uint64(in.at)), log.write); err != nil {
		t.Fatal(err)
	}
}

// Whoever works through the log, from its start or from anybody's checkpoint, sees the same at each tick: crashes, new rules,
// a second writer to the state log, records that retention has taken and checkpoints between folding and ticking change nothing.
func TestOneLogOneStory(t *testing.T) {
	seeds, steps := uint64(2), 7000
	if testing.Short() {
		seeds, steps = 1, 1000
	}
	for seed := range seeds {
		batches := chaos(seed, steps)
		story := make(map[int64][]string)
		live := start(t, &stateLog{})
		var total Folded
		for live.at < len(batches) {
			live.step(t, batches, func(now int64, figures []string) { story[now] = figures }, func() {})
		}
		total = total.plus(t, batches)
		if least := steps / 70; len(story) < 3*least || total.Late < 5*least || total.Skipped < 5*least || total.Other < 5*least || total.Dropped < least {
			t.Fatalf("seed %d: %d ticks and %+v: too tame", seed, len(story), total)
		}
		r := rand.New(rand.NewPCG(seed, 7))
		log := &stateLog{}
		workers := []*instance{start(t, log), start(t, log)} // the second is a zombie: nobody knows that it is still there
		compare := func(now int64, figures []string) {
			for i, want := range story[now] {
				if len(figures) != len(story[now]) || figures[i] != want {
					t.Fatalf("seed %d at %v: of %d and %d lines the first that differ are\n%s\n%s", seed, time.Unix(now, 0).UTC(), len(figures), len(story[now]), figures[min(i, len(figures)-1)], want)
				}
			}
		}
		restarts := 0
		for workers[0].at < len(batches) {
			i := min(r.IntN(8), 1) ^ 1
			w := workers[i]
			if w.at == len(batches) {
				continue
			}
			w.step(t, batches, compare, func() {
				if r.IntN(30) == 0 {
					w.save(t, log) // says that this batch is done, which it is: what ticks are due is in the watermark
				}
			})
			switch r.IntN(60) {
			case 0:
				w.save(t, log)
			case 1:
				workers[i] = start(t, log)
				restarts++
			case 2:
				w.views = w.SetViews(testViews)
			}
		}
		if restarts < steps/140 || log.records[0] != nil && !testing.Short() {
			t.Errorf("seed %d: %d restarts over %d records of state", seed, restarts, len(log.records))
		}
	}
}

// plus is what folding all batches gives.
func (f Folded) plus(t *testing.T, batches [][]byte) Folded {
	s := NewStore(chaosOptions)
	for _, b := range batches {
		g := fold(t, s, b)
		s.Advance(func(time.Time) {})
		f.Late, f.Skipped, f.Other, f.Dropped = f.Late+g.Late, f.Skipped+g.Skipped, f.Other+g.Other, f.Dropped+g.Dropped
	}
	return f
}
