package consumer_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// bombDecoder makes each record a call of a prompt and with a template hash that are the record itself.
type bombDecoder struct{ event consumer.Event }

func (d *bombDecoder) Decode(record []byte, yield func(*consumer.Event)) error {
	e := &d.event
	e.Reset()
	e.Call, e.Time = true, benchStart.UnixNano()
	e.Prompt, e.Version, e.TemplateHash = record, []byte("v1"), record
	e.Set(windows.BuiltinLatency, 1)
	yield(e)
	return nil
}

// What is made up for each call anew is not remembered: not the cells, nor what their batches took.
func TestBombLeavesNoMemory(t *testing.T) {
	const sources, lanes, tuples = 4, 4, 100_000
	before := heap()
	now := benchStart.Add(time.Minute).UnixNano()
	var cores []*consumer.Core
	for range sources {
		cores = append(cores, consumer.NewCore(consumer.CoreConfig{
			Source: windows.Source{Topic: "spans"}, Decoder: &bombDecoder{}, Partitions: lanes,
			Partition: func(p string) int { return int(p[len(p)-1]) % lanes },
		}))
	}
	for i := range tuples {
		c := cores[i%sources]
		c.Add(int64(i), fmt.Appendf(nil, "a prompt that nobody else has: %07d", i), now)
		if c.Full() {
			c.Drop(now)
		}
	}
	for range 3 { // what is left, and heartbeats
		for _, c := range cores {
			c.Drop(now)
			c.Beat(nil)
		}
	}
	if grown := heap() - before; grown > sources*3<<20 {
		t.Errorf("%d kB are kept after %d tuples", grown>>10, tuples)
	}
	runtime.KeepAlive(cores)
}

// Calls of which each has a prompt, a version or a tier of its own take no spans and no labels from others: of before, of meanwhile,
// and of versions that come meanwhile, whatever models these call. What is left of their own labels, when there is no room for more,
// is what detect would have left of them.
func TestBombDoesNotPushOutTheHonest(t *testing.T) {
	n := 30_000
	if testing.Short() {
		n = 15_000
	}
	l := usualLinking
	l.Memory = int64(n) * 450
	w := newLinkWorld(t, l, "spans")
	w.read("spans", "call tb s1 @0 prompt=busy version=v1 tier=0", "call tc s1 @0 prompt=busy version=v1 tier=0")
	for i := range 50 {
		w.read("spans", fmt.Sprintf("call th%d s1 @0 prompt=honest version=v1 tier=%d", i, i))
		w.read("spans", fmt.Sprintf("call ti%d s1 @0 prompt=honest version=v1 tier=%d", i, i))
	}
	for i := range n {
		prompt, version, tier := "busy", "v1", "0"
		switch i % 3 {
		case 0:
			prompt = fmt.Sprintf("bomb%d", i)
		case 1:
			prompt, version = "honest", fmt.Sprintf("bomb%d", i)
		case 2:
			tier = fmt.Sprintf("bomb%d", i)
		}
		w.read("spans", fmt.Sprintf("call t%d s1 @%d prompt=%s version=%s tier=%s response_id=r%d", i, i*300/n, prompt, version, tier, i))
		if i == n/2 {
			for j := range 3 { // each with a model that no other has: of the version's cell, several have it
				w.read("spans", fmt.Sprintf("call tm%d s1 @150 prompt=honest version=v3 model=m%d", j, j))
			}
			w.read("spans", "call tr s1 @150 prompt=honest version=v3 tier=7 model=m") // rare, but nothing of its cell is made up
		}
		if i%1000 == 0 {
			w.read("spans", fmt.Sprintf("call tn%d s1 @%d prompt=honest version=v2", i, i*300/n))
			w.cores["spans"].Drop(w.now)
		}
	}
	if spans, bytes := w.linker.Stats(); int64(bytes) > l.Memory || spans < 2*n {
		t.Errorf("%d spans and ids of %d calls in %d bytes, may be %d", spans, n, bytes, l.Memory)
	}
	w.cores["spans"].Drop(w.now)
	mid, last := n/2/3*3, (n-1)/3*3
	w.read("spans", "score tb s1 @301", "score th7 s1 @301", "score ti49 s1 @301", "score tn0 s1 @301", "score tm1 s1 @301", "score tr s1 @301", fmt.Sprintf("score tn%d s1 @301", (n-1)/1000*1000),
		fmt.Sprintf("score t%d s1 @301", mid), fmt.Sprintf("score t%d s1 @301", mid+1), fmt.Sprintf("score t%d s1 @301", mid+2),
		fmt.Sprintf("score response_id=r%d @301", mid+1), fmt.Sprintf("score t%d s1 @301", last))
	w.tend(time.Minute)
	w.take()
	want := []string{
		"score busy/v1/0/", "score honest/v1/7/", "score honest/v1/49/", "score honest/v2//", "score honest/v3//", "score honest/v3/7/", "score honest/v2//",
		"score __other__/__other__/__other__/", "score honest/__other__/0/", "score busy/v1/__other__/", "score honest/__other__/0/", fmt.Sprintf("score bomb%d/v1/0/", last),
	}
	if !slices.Equal(w.out, want) || len(w.dead) > 0 {
		t.Errorf("samples\n%s\nwant\n%s\ndead letters %q", strings.Join(w.out, "\n"), strings.Join(want, "\n"), w.dead)
	}
}
