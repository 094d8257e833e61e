package consumer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

// However often an event is offered again, and whatever befalls those who read it, it counts once: where it stands first.
func TestOfferedAgainCountsOnce(t *testing.T) {
	runs := 300
	if testing.Short() {
		runs = 40
	}
	doubled, repeated := 0, 0
	for seed := range uint64(runs) {
		r := rand.New(rand.NewPCG(seed, 11))
		s := &simulation{t: t, r: r, canRoll: true, want: map[int][]windows.Position{}}
		seen := map[int]bool{}
		for i := range 300 {
			n := r.IntN(120)
			c := otlpgen.Call{Prompt: fmt.Sprintf("%c", 'a'+n%5), Version: "v1", End: benchStart}
			s.records, s.names = append(s.records, otlpgen.AppendNative(nil, &c)), append(s.names, fmt.Sprint(n))
			if seen[n] {
				repeated++
				continue
			}
			seen[n] = true
			s.want[simPartition(c.Prompt)] = append(s.want[simPartition(c.Prompt)], windows.Position{Offset: int64(i)})
		}
		s.run()
		doubled += s.check(seed)
	}
	if doubled == 0 || repeated == 0 {
		t.Errorf("%d samples were doubled, %d events repeated: the simulation tests nothing", doubled, repeated)
	}
}

func againCore(t *testing.T, from int64) *consumer.Core {
	t.Helper()
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return consumer.NewCore(consumer.CoreConfig{
		Source: windows.Source{Topic: "redrive"}, Decoder: driftdjson.New(attrs), Partitions: 1, Partition: func(string) int { return 0 },
		From: from, Now: testClock, Again: true,
	})
}

// The topic says nothing about time: its events are late by nature.
func TestOfferedAgainSaysNothingAboutTime(t *testing.T) {
	c := againCore(t, 1)
	call := otlpgen.Call{Prompt: "p", Version: "v1", End: benchStart}
	record := otlpgen.AppendNative(nil, &call)
	c.Beat([]windows.Source{{Topic: "spans"}})
	if waves, _, _ := c.Cut(testClock, true); len(waves) != 0 {
		t.Errorf("%d waves of heartbeats", len(waves))
	}
	c.AddNamed(0, "one", record, testClock) // counted before this worker came
	c.AddNamed(1, "one", record, testClock)
	c.AddNamed(2, "two", record, testClock)
	c.AddNamed(3, "two", nil, testClock)
	c.Add(4, record, testClock) // has no name
	c.Add(5, record, testClock)
	if got := c.Repeated(); got != 2 {
		t.Errorf("%d repeated, want 2", got)
	}
	waves, dead, next := c.Cut(testClock, true)
	if len(waves) != 1 || len(waves[0]) != 1 || len(dead) != 0 || next != 6 {
		t.Fatalf("%d waves, %d letters, next %d", len(waves), len(dead), next)
	}
	var b windows.Batch
	if err := b.Decode(waves[0][0].Value); err != nil {
		t.Fatal(err)
	}
	if b.Watermark != windows.Timeless || !slices.Equal(b.Pos, []windows.Position{{Offset: 2}, {Offset: 4}, {Offset: 5}}) {
		t.Errorf("watermark %d, positions %v", b.Watermark, b.Pos)
	}
}
