package protocol

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// planCores is what a seed stands for.
func planCores(seed uint64) (c *chance, p coresPlan, faults int) {
	r := rand.New(rand.NewPCG(seed, 6))
	p = coresPlan{number: r.IntN(streams), sources: 1 + r.IntN(sourcePartitions), samples: 1 + r.IntN(samplesPartitions), losing: r.IntN(4) == 0}
	return &chance{r: r}, p, 1 + r.IntN(8)
}

// playCores runs one schedule and says what is wrong with it. The caller is in a bubble.
func playCores(c *chance, p coresPlan, faults int) (w *cores, doubled, lost int, wrong string) {
	w = newCores(c, p, faults)
	w.run()
	doubled, lost = w.check()
	if len(w.failed) > 0 {
		wrong = strings.Join(w.failed, "\n") + "\nwhat happened:\n" + strings.Join(w.story, "\n")
	}
	return w, doubled, lost, wrong
}

// Whatever happens, events count once, alerts are the same, and are told: thousands of schedules a second.
func TestCores(t *testing.T) {
	n := uint64(*schedules)
	switch {
	case n > 0:
	case testing.Short():
		n = 200
	default:
		n = 3000
	}
	did := map[string]int{}
	doubled, lost, began := 0, 0, time.Now()
	synctest.Test(t, func(t *testing.T) {
		for at := *seed; at < *seed+n && !t.Failed(); at++ {
			w, d, l, wrong := playCores(planCores(at))
			if wrong != "" {
				t.Errorf("seed %d (go test ./internal/protocol -run TestCores -schedules 1 -seed %d):\n%s", at, at, wrong)
			}
			for k, times := range w.did {
				did[k] += times
			}
			doubled, lost = doubled+d, lost+l
		}
	})
	t.Logf("%d schedules, %.0f a second: %v; %d events were written again, %d lost in gaps", n, float64(n)/time.Since(began).Seconds(), did, doubled, lost)
	if *schedules == 0 && (doubled == 0 || len(did) < 17) {
		t.Errorf("%d events doubled, and of what can happen only %v: too tame", doubled, did)
	}
}

// A fuzzer's bytes decide what happens. Where they end nothing goes wrong any more.
func FuzzProtocol(f *testing.F) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 2))
		b := make([]byte, 600)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 {
			return
		}
		p := coresPlan{number: int(b[0]) % streams, sources: 1 + int(b[1]&1), samples: 1 + int(b[1]>>1&1), losing: b[1]&4 > 0}
		synctest.Test(t, func(t *testing.T) {
			if _, _, _, wrong := playCores(&chance{bytes: b[2:]}, p, 8); wrong != "" {
				t.Error(wrong)
			}
		})
	})
}
