package protocol

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // many small worlds
	os.Exit(m.Run())
}

// play runs one schedule.
func play(t *testing.T, c *chance, number int, linked, losing bool, faults int) (s *simulation, v verdict) {
	t.Helper()
	return playOn(t, none, c, number, linked, losing, faults)
}

// playOn runs one on a Kafka that breaks a promise.
func playOn(t *testing.T, lie lie, c *chance, number int, linked, losing bool, faults int) (s *simulation, v verdict) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s = newSimulation(t, c, number, linked, losing)
		s.faults, s.kafka.lie = faults, lie
		s.look = rand.New(rand.NewPCG(uint64(number), 5))
		s.run()
		v = s.check()
	})
	return s, v
}

var (
	schedules = flag.Int("schedules", 0, "how many schedules a test plays; 0 for about a second of one processor")
	seed      = flag.Uint64("seed", 0, "of the first of them")
)

// plan is what a seed stands for.
func plan(seed uint64) (c *chance, number int, linked, losing bool, faults int) {
	r := rand.New(rand.NewPCG(seed, 1))
	kind := r.IntN(4)
	return &chance{r: r}, r.IntN(streams), kind >= 2, kind == 1, 1 + r.IntN(8)
}

// undisturbed are streams that nothing happens to.
type undisturbed struct {
	mu    sync.Mutex
	steps map[string][samplesPartitions][]entry
}

func (u *undisturbed) of(t *testing.T, number int, linked bool) [samplesPartitions][]entry {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	key := fmt.Sprint(number, linked)
	if _, ok := u.steps[key]; !ok {
		s, v := play(t, &chance{}, number, linked, false, 0)
		if len(s.failed) > 0 || v.doubled > 0 || len(v.steps[0])+len(v.steps[1]) < 4 {
			t.Fatalf("stream %s, to which nothing happens, doubles %d events and makes %d and %d steps\n%s", key, v.doubled, len(v.steps[0]), len(v.steps[1]), strings.Join(s.failed, "\n"))
		}
		u.steps[key] = v.steps
	}
	return u.steps[key]
}

// early are the steps of the time that all runs of a stream have seen.
func early(steps []entry) (out []entry) {
	for _, step := range steps {
		if !step.record.Time.After(start.Add(length + 30*time.Second)) {
			out = append(out, step)
		}
	}
	return out
}

// judge plays a schedule and says what is wrong with it.
func (u *undisturbed) judge(t *testing.T, c *chance, number int, linked, losing bool, faults int) (s *simulation, v verdict, wrong string) {
	t.Helper()
	want := u.of(t, number, linked)
	s, v = play(t, c, number, linked, losing, faults)
	if v.lost == 0 && s.w.again == 0 {
		for p := range want {
			if d := difference(early(v.steps[p]), early(want[p])); d != "" {
				s.bad("partition %d has other steps than an undisturbed run: %s", p, d)
			}
		}
	}
	slices.Sort(s.failed)
	return s, v, strings.Join(slices.Compact(s.failed), "\n")
}

// Whatever happens, events count once, alerts are the same, and are told. Each schedule runs the workers of all stages, as they are.
func TestProtocol(t *testing.T) {
	n := *schedules
	switch {
	case n > 0:
	case testing.Short():
		n = 20
	default:
		n = 240
	}
	u := &undisturbed{steps: map[string][samplesPartitions][]entry{}}
	did := map[string]int{}
	doubled, lost, began := 0, 0, time.Now()
	var next atomic.Int64
	var mu sync.Mutex
	t.Run("schedules", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for i := next.Add(1); i <= int64(n) && !t.Failed(); i = next.Add(1) {
					at := *seed + uint64(i) - 1
					c, number, linked, losing, faults := plan(at)
					s, v, wrong := u.judge(t, c, number, linked, losing, faults)
					if wrong != "" {
						t.Errorf("seed %d (go test ./internal/protocol -run TestProtocol -schedules 1 -seed %d):\n%s\nwhat happened:\n%s", at, at, wrong, s.story())
					}
					mu.Lock()
					for k, times := range s.did {
						did[k] += times
					}
					doubled, lost = doubled+v.doubled, lost+v.lost
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d schedules, %.0f a second: %v; %d events were written again, %d lost in gaps", n, float64(n)/time.Since(began).Seconds(), did, doubled, lost)
	if *schedules == 0 && (doubled == 0 || len(did) < 10) {
		t.Errorf("%d events doubled, and of what can happen only %v: too tame", doubled, did)
	}
}

// The checks find what they are there for: where Kafka breaks one of the promises that driftd builds on, some schedule shows it.
func TestBrokenPromises(t *testing.T) {
	for name, lie := range map[string]lie{"acknowledged and not written": forgets, "out of order": overtaken, "one id for two topics": sameID} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(400) {
				r := rand.New(rand.NewPCG(seed, 4))
				s, _ := playOn(t, lie, &chance{r: r}, r.IntN(streams), false, lie == sameID, 12)
				if len(s.failed) > 0 {
					return
				}
			}
			t.Error("no schedule shows it")
		})
	}
}
