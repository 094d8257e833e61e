package consumer

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The table says what a map says that forgets nothing.
func TestDedupTable(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 1))
		d := newDedup(100*time.Second, 1<<20)
		newest := map[uint64]uint32{}
		known := 0
		for i := range 30_000 {
			clock := uint32(1000 + i/10)
			limit := clock - 100
			at := clock - uint32(r.IntN(150))
			id := uint64(i - min(i, r.IntN(2000)) + 1)
			d.begin()
			was := newest[id]
			got := d.put(id<<40^id, at, limit)
			if want := was >= limit; got != want {
				t.Fatalf("seed %d, step %d: id %d known %t, want %t", seed, i, id, got, want)
			}
			if got {
				known++
			}
			if r.IntN(10) == 0 {
				d.abandon()
			} else {
				newest[id] = max(was, at)
			}
		}
		if known < 1000 || d.short > 0 {
			t.Errorf("seed %d: %d known, %d short", seed, known, d.short)
		}
		// 10 ids a second for 100 s and as many newcomers until the next sweep.
		if d.taken > 4000 || len(d.slots) > 8000 {
			t.Errorf("seed %d: %d ids in %d slots: what is forgotten stays", seed, d.taken, len(d.slots))
		}
	}
}

// A table that may not grow forgets the oldest ids before their time, and tells.
func TestDedupIsBounded(t *testing.T) {
	const memory = 12 << 10
	f := func(name string, at func(i int) uint32) {
		t.Helper()
		d := newDedup(time.Hour, memory)
		for i := range 20_000 {
			d.begin()
			id := uint64(i+1) * 0x9e3779b97f4a7c15
			if d.put(id, at(i), 0) {
				t.Fatalf("%s: id %d is known before it came", name, i)
			}
			if !d.put(id, at(i), 0) && at(i) >= d.floor {
				t.Fatalf("%s: id %d is not known after it came", name, i)
			}
			if d.size() > memory {
				t.Fatalf("%s: %d bytes, %d are allowed", name, d.size(), memory)
			}
		}
		if d.short < 19_000 {
			t.Errorf("%s: %d of 20,000 ids had no room", name, d.short)
		}
		if n := fmt.Sprint(d.taken); d.taken > 1024 || name == "rising" && d.taken < 300 {
			t.Errorf("%s: %s ids remain", name, n)
		}
	}
	f("rising", func(i int) uint32 { return uint32(1000 + i/10) })
	f("one second", func(int) uint32 { return 1000 })
	f("two far apart", func(i int) uint32 { return uint32(1000 + i%2*3_000_000_000) })
}
