package consumer_test

import (
	"math/rand/v2"
	"testing"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// fuzzEvents yields the events of a few records in two topics, as bytes say: few traces, spans and prompts, so that all sorts of
// circles, doubles and contradictions come about, and times of all sizes.
type fuzzEvents struct{ prompts [3][]byte }

func (d *fuzzEvents) Decode(record []byte, yield func(*consumer.Event)) error {
	for len(record) >= 8 {
		b := record[:8]
		record = record[8:]
		e := consumer.Event{Dimensions: make([][]byte, 2)}
		switch b[0] % 4 {
		case 0:
			e.Call = true
		case 1:
			e.Kind = consumer.Score
		case 3:
			e.Call = b[0]&4 != 0
			e.AddScore(consumer.ScoreValue{Rubric: []byte("r"), Value: 1, HasValue: true})
		}
		if e.Kind == consumer.Score {
			e.AddScore(consumer.ScoreValue{Rubric: []byte("r"), Value: 1, HasValue: true})
		}
		e.Trace[0], e.Span[0], e.Parent[0] = b[1]%5, b[2]%7, b[3]%7
		if p := b[4] % 8; p < 3 {
			e.Prompt = d.prompts[p]
		} else if p == 3 {
			e.Prompt = []byte("a\nb")
		}
		if b[5]%4 == 0 {
			e.Response = []byte{'r', b[5] / 4 % 3}
		}
		if b[5]&128 != 0 {
			e.Dimensions[0] = []byte{'d', b[5] % 3}
		}
		switch at := int64(int8(b[6])); b[7] % 16 {
		case 0:
			e.Time = at
		case 1:
			e.Time = 1<<63 - 1 - at
		case 2:
			e.Time = -1 << 63
		case 3:
			e.Time = testClock + at*60e9 // up to two hours ahead and behind
		case 4:
			e.Time = 946684800e9 + at
		default:
			e.Time = linkStart + at*1e9 + int64(b[7])*1e8
		}
		yield(&e)
	}
	if len(record) == 7 {
		return consumer.Refused(consumer.Malformed, "seven bytes are left")
	}
	return nil
}

// FuzzLink feeds two topics that share what they remember with any events in any order. Nothing panics; each lane gets positions
// in order, each at most once; what is to be committed stays below all that waits, and all is settled when a lineage ends.
func FuzzLink(f *testing.F) {
	f.Add([]byte("\x11\x00\x01\x02\x03\x04\x05\x06\x07\x01\x01\x02\x02\x00\x00\x05\x05"), uint16(1<<8))
	f.Add([]byte{9, 0, 1, 1, 2, 7, 1, 1, 9, 9, 1, 1, 1, 1, 7, 1, 2, 9, 200, 255, 8, 2, 1, 1, 1, 7, 1, 3, 9}, uint16(77))
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 12))
		script := make([]byte, 4<<10)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		f.Add(script, uint16(r.Uint32()))
	}
	f.Fuzz(func(t *testing.T, script []byte, seed uint16) {
		l := usualLinking
		l.Memory = 1 << (16 + seed%8)
		topics := []string{"a", "b"}
		linker := consumer.NewLinker(l, topics...)
		decoder := &fuzzEvents{prompts: [3][]byte{[]byte("p"), []byte("q"), []byte("r")}}
		var cores [2]*consumer.Core
		var offset, from, committed [2]int64
		var last [2][3]windows.Position
		for i, topic := range topics {
			from[i] = int64(seed>>(8+2*i)) % 4
			cores[i] = consumer.NewCore(consumer.CoreConfig{
				Source: windows.Source{Topic: topic}, Decoder: decoder, Dimensions: []string{"tier", "locale"}, Partitions: 3,
				Partition: func(p string) int { return int(p[0]) % 3 }, Now: testClock, Linker: linker, From: from[i],
			})
			committed[i] = from[i]
		}
		now := testClock
		cut := func(i int) {
			waves, _, next := cores[i].Cut(now, false)
			if oldest, waits := cores[i].Oldest(); next < committed[i] || waits && next > max(oldest, from[i]) || next > max(offset[i], from[i]) {
				t.Fatalf("topic %d: commits %d after %d, %d were read, %d waits", i, next, committed[i], offset[i], oldest)
			}
			committed[i] = next
			var b windows.Batch
			for _, wave := range waves {
				for _, m := range wave {
					if err := b.Decode(m.Value); err != nil {
						t.Fatal(err)
					}
					for _, pos := range b.Pos {
						if pos.Less(last[i][m.Partition]) || pos.Offset < from[i] || pos.Offset >= offset[i] {
							t.Fatalf("topic %d, lane %d: %v comes after %v", i, m.Partition, pos, last[i][m.Partition])
						}
						last[i][m.Partition] = pos.After()
					}
				}
			}
		}
		for len(script) > 0 {
			op := script[0]
			script = script[1:]
			i := int(op & 1)
			switch op >> 1 % 8 {
			case 0, 1, 2, 3: // a record
				n := min(int(op>>4)*8+int(op>>1%8)%2*7, len(script))
				cores[i].Add(offset[i], script[:n], now)
				script = script[n:]
				offset[i]++
			case 4:
				cores[i].Tend(now, op&16 != 0)
			case 5:
				now += int64(op>>4) * 10e9
			case 6:
				cut(i)
			case 7:
				cores[i].Failing(op&16 != 0)
			}
		}
		for i := range cores {
			cut(i)
			cores[i].End(now)
			cut(i)
			if cores[i].Waiting() > 0 || committed[i] != max(offset[i], from[i]) {
				t.Fatalf("topic %d: %d wait, %d of %d are settled", i, cores[i].Waiting(), committed[i], offset[i])
			}
		}
		if _, bytes := linker.Stats(); bytes > int(l.Memory)+16<<10 {
			t.Fatalf("%d bytes are remembered", bytes)
		}
	})
}
