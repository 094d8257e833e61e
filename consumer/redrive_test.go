package consumer_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/windows"
)

var redriveDims = []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}

func newRedriver(t testing.TB) *consumer.Redriver {
	t.Helper()
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: redriveDims})
	if err != nil {
		t.Fatal(err)
	}
	return consumer.NewRedriver(driftdjson.New(attrs), attrs.Dimensions(), testScales, testClock)
}

// eventLetter is the dead letter of one native event.
func eventLetter(offset int, reason string, value []byte) consumer.Record {
	return consumer.Record{Value: value, Headers: []consumer.Header{
		{Key: "driftd-topic", Value: []byte("natives")}, {Key: "driftd-partition", Value: []byte("0")}, {Key: "driftd-offset", Value: strconv.AppendInt(nil, int64(offset), 10)},
		{Key: "driftd-index", Value: []byte("0")}, {Key: "driftd-reason", Value: []byte(reason)},
	}}
}

// recount gives what ingest makes of an event that is offered again: its sample, or the letter that it becomes.
func recount(t testing.TB, value string) string {
	t.Helper()
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: redriveDims})
	if err != nil {
		t.Fatal(err)
	}
	c := consumer.NewCore(consumer.CoreConfig{
		Source: windows.Source{Topic: "redrive"}, Decoder: driftdjson.New(attrs), Dimensions: attrs.Dimensions(), Scales: testScales,
		Partitions: 1, Partition: func(string) int { return 0 }, Now: testClock, Again: true,
	})
	c.AddNamed(0, "name", []byte(value), testClock)
	waves, dead, _ := c.Cut(testClock, true)
	if len(dead) > 0 {
		return "dead of " + dead[0].Headers["driftd-reason"]
	}
	if len(waves) != 1 || len(waves[0]) != 1 {
		return "nothing"
	}
	return fmt.Sprint(samplesOf(t, waves[0][0].Value))
}

// Where ingest could link a score, redrive finds the same labels, and where it could not, neither does redrive: as long as all of
// a trace is there.
func TestRedriveLinksAsIngestDoes(t *testing.T) {
	outcomes := map[string]int{}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		prompt := func() string {
			if r.IntN(3) > 0 {
				return ""
			}
			return fmt.Sprintf(" prompt=%c version=v%d tier=t%d", 'a'+r.IntN(2), r.IntN(2), r.IntN(3))
		}
		var lines []string
		for trace := range 8 {
			for span := range 1 + r.IntN(6) {
				kind := []string{"call", "span"}[r.IntN(2)]
				parent := ""
				if r.IntN(4) > 0 {
					parent = fmt.Sprintf("<s%d", r.IntN(7))
				}
				line := fmt.Sprintf("%s t%d s%d%s @%d%s", kind, trace, span, parent, r.IntN(5), prompt())
				if kind == "call" && r.IntN(2) == 0 {
					line += fmt.Sprintf(" response_id=r%d", trace*10+span)
				}
				lines = append(lines, line)
			}
		}
		spans := len(lines)
		for range 20 {
			line := fmt.Sprintf("score @6 locale=l%d", r.IntN(2))
			if r.IntN(4) > 0 {
				line += fmt.Sprintf(" t%d", r.IntN(9))
			}
			if r.IntN(3) > 0 {
				line += fmt.Sprintf(" s%d", r.IntN(7))
			}
			if r.IntN(3) == 0 {
				line += fmt.Sprintf(" response_id=r%d", r.IntN(8)*10+r.IntN(6))
			}
			lines = append(lines, line)
		}

		w := newLinkWorld(t, usualLinking, "natives")
		w.read("natives", lines...)
		for range 3 {
			w.tend(usualLinking.Wait * 6)
		}
		waves, dead, _ := w.cores["natives"].Cut(w.now, true)
		live := map[int64]string{}
		for _, wave := range waves {
			for _, s := range wave {
				var b windows.Batch
				if err := b.Decode(s.Value); err != nil {
					t.Fatal(err)
				}
				for i, what := range samplesOf(t, s.Value) {
					live[b.Pos[i].Offset] = fmt.Sprintf("[%s]", what)
				}
			}
		}
		for _, l := range dead {
			at, err := strconv.ParseInt(l.Headers["driftd-offset"], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			live[at] = "still_unlinked"
		}

		var letters []consumer.Record
		var events [][]byte
		for i, line := range lines {
			if i < spans {
				events = append(events, linkEvent(line))
			} else {
				letters = append(letters, eventLetter(i, "unlinked", linkEvent(line)))
			}
		}
		again := newRedriver(t)
		again.Learn(letters, events)
		for i := range letters {
			at := spans + i
			again.Judge(&letters[i], func(o consumer.Outcome, _, value string) {
				got := o.String()
				if o == consumer.Offerable {
					got = recount(t, value)
				}
				outcomes[o.String()]++
				if got != live[int64(at)] {
					t.Errorf("seed %d: %s: %s, ingest finds %s in\n%q", seed, lines[at], got, live[int64(at)], lines[:spans])
				}
			})
		}
	}
	if outcomes["offered"] < 500 || outcomes["still_unlinked"] < 500 || len(outcomes) != 2 {
		t.Errorf("outcomes %v", outcomes)
	}
}

// FuzzRedrive reads letters that anybody may have written: what is offered would count, and none is lost without a word.
func FuzzRedrive(f *testing.F) {
	score := `{"type":"score","time":1763640000000000000,"prompt":"p","rubric":"verdict","label":"pass"}`
	f.Add(score, "natives", "0", "7", "0", "unknown_label", "")
	f.Add(score, "natives", "0", "7", "", "malformed", "")
	f.Add(`{"type":"span","time":1763640000000000000,"prompt":"p","scores":{"a":1,"grounding":9}}`, "natives", "1", "7", "", "wrong_type", "")
	f.Add(`{"type":"span","time":1763640000000000000,"trace_id":"5b8efff798038103d269b633813fc60c"}`, "natives", "1", "7", "3", "unlinked", "")
	f.Add(`{`, "natives", "x", "-1", "99999999999", "future", "12")
	f.Fuzz(func(t *testing.T, value, topic, partition, offset, index, reason, truncated string) {
		rec := consumer.Record{Value: []byte(value)}
		for k, v := range map[string]string{
			"driftd-topic": topic, "driftd-partition": partition, "driftd-offset": offset, "driftd-index": index, "driftd-reason": reason, "driftd-truncated": truncated,
		} {
			if v != "" {
				rec.Headers = append(rec.Headers, consumer.Header{Key: k, Value: []byte(v)})
			}
		}
		r := newRedriver(t)
		r.Learn([]consumer.Record{rec}, nil)
		n := 0
		var offered []string
		r.Judge(&rec, func(o consumer.Outcome, name, value string) {
			n++
			if o != consumer.Offerable {
				return
			}
			offered = append(offered, value)
			if got := recount(t, value); got == "nothing" || got[0] != '[' {
				t.Errorf("%s, offered as %s, is %s", name, value, got)
			}
		})
		if n == 0 {
			t.Error("nothing is said of it")
		}
		r.Judge(&rec, func(o consumer.Outcome, _, value string) {
			if o == consumer.Offerable {
				t.Errorf("offered twice: %s, %q", value, offered)
			}
		})
	})
}
