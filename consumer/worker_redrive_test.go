package consumer_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/cloudevents"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
)

// redriveStage is a stage whose scores stand in a topic with more partitions than the spans have, so that most are not linked.
type redriveStage struct {
	*stage
	scores, again string // topics
}

const scorePartitions = 3

func newRedriveStage(t *testing.T) *redriveStage {
	s := &redriveStage{stage: newStage(t)}
	s.scores, s.again = s.group+"-scores", s.prefix+"redrive"
	s.ensure(kafkalog.TopicSpec{Name: s.scores, Partitions: scorePartitions}, kafkalog.TopicSpec{Name: s.again, Partitions: 1})
	return s
}

func (s *redriveStage) configure(c *consumer.Config) {
	c.Sources = []consumer.SourceTopic{
		{Topic: s.spans, Encoding: "otlp_proto"}, {Topic: s.natives, Encoding: "driftd_json"}, {Topic: s.scores, Encoding: "driftd_json"},
		{Topic: s.again, Encoding: "driftd_json", Again: true},
	}
	c.Linking = consumer.Linking{Wait: 100 * time.Millisecond, Horizon: time.Minute, Memory: 16 << 20}
	c.Disorder, c.Idle, c.Group = 100*time.Millisecond, 300*time.Millisecond, s.group
}

func (s *redriveStage) start() (stop func()) { return s.run(s.configure) }

// redrive runs it; a report without an error is what is asked for unless the test looks at the error itself.
func (s *redriveStage) redrive(ctx context.Context, o consumer.RedriveOptions) (*consumer.RedriveReport, error) {
	c := consumer.Config{
		Client: s.client, Now: time.Now, Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}, Scales: testScales, TopicPrefix: s.prefix,
		Encodings: map[string]consumer.Format{"otlp_proto": {New: otlp.New}, "driftd_json": {New: driftdjson.New}},
	}
	s.configure(&c)
	return consumer.Redrive(ctx, c, o)
}

// untilCommitted waits until ingest goes on from an offset.
func (s *redriveStage) untilCommitted(topic string, partition int, want int64) {
	s.t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(patience); ; <-poll.C {
		if at, _, err := s.client.Committed(s.t.Context(), s.group, topic, partition); err == nil && at >= want {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s[%d]@%d is not committed", topic, partition, want)
		}
	}
}

// settle waits until ingest has committed what the letters are of.
func (s *redriveStage) settle() {
	s.t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(patience); events(s.must(consumer.RedriveOptions{}))["not_settled"] > 0; <-poll.C {
		if time.Now().After(end) {
			s.t.Fatal("ingest does not commit")
		}
	}
}

func (s *redriveStage) must(o consumer.RedriveOptions) *consumer.RedriveReport {
	s.t.Helper()
	r, err := s.redrive(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// records are the values of a topic's records.
func (s *redriveStage) records(topic string, partition int) (values []string) {
	s.t.Helper()
	first, next, err := s.client.Bounds(s.t.Context(), topic, partition)
	if err != nil {
		s.t.Fatal(err)
	}
	f := s.client.NewFetcher(topic, partition)
	for first < next {
		got, err := f.Fetch(s.t.Context(), first, time.Second)
		if err != nil {
			s.t.Fatal(err)
		}
		for got.Next() {
			values = append(values, string(got.Record().Value))
		}
		first = got.NextOffset()
	}
	return values
}

// untilLetters waits for so many dead letters.
func (s *redriveStage) untilLetters(n int) {
	s.t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(patience); len(s.records(s.prefix+"dead", 0)) < n; <-poll.C {
		if time.Now().After(end) {
			s.t.Fatalf("%d dead letters, want %d", len(s.records(s.prefix+"dead", 0)), n)
		}
	}
}

// untilRepeated waits for as many repetitions.
func (s *redriveStage) untilRepeated(n int) {
	s.t.Helper()
	want := fmt.Sprintf("driftd_consumer_repeated_total{topic=%q} %d\n", s.again, n)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(patience); !strings.Contains(s.text(), want); <-poll.C {
		if time.Now().After(end) {
			s.t.Fatalf("no %s in\n%s", want, s.text())
		}
	}
}

// events shows what became of the events of all letters.
func events(r *consumer.RedriveReport) map[string]int {
	sum, out := r.Total(), map[string]int{}
	for o, n := range sum.Events {
		if n > 0 {
			out[consumer.Outcome(o).String()] = n
		}
	}
	return out
}

func wantEvents(t *testing.T, what string, r *consumer.RedriveReport, want map[string]int) {
	t.Helper()
	if got := events(r); !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v: %+v", what, got, want, r.Rows)
	}
}

// unlinked publishes n calls, and scores of them where they cannot be linked; then it waits for their letters.
func (s *redriveStage) unlinked(n int) {
	s.t.Helper()
	now := time.Now()
	var spans, scores [][]byte
	for i := range n {
		c := otlpgen.Call{Trace: [16]byte{1, byte(i >> 8), byte(i)}, Span: [8]byte{2, byte(i)}, Prompt: "p", Version: "v1", Tier: "free", Start: now.Add(-time.Second), End: now}
		spans = append(spans, otlpgen.AppendNative(nil, &c))
		scores = append(scores, fmt.Appendf(nil, `{"type":"score","time":%d,"trace_id":"%x","span_id":"%x","rubric":"r","value":%v}`,
			now.UnixNano(), c.Trace, c.Span, float64(i)))
	}
	s.produce(s.natives, 1, spans...)
	s.produce(s.scores, 2, scores...)
	s.untilLetters(n)
	s.settle()
}

func TestRedriveFindsSpansInOtherPartitions(t *testing.T) {
	s := newRedriveStage(t)
	s.start()
	s.unlinked(20)
	dry := s.must(consumer.RedriveOptions{})
	wantEvents(t, "dry run", dry, map[string]int{"offered": 20})
	if len(dry.Rows) != 1 || dry.Rows[0].Topic != s.scores || dry.Rows[0].Reason != "unlinked" || dry.Rows[0].Letters != 20 || dry.Done {
		t.Errorf("dry run says %+v", dry)
	}
	if got := s.records(s.again, 0); len(got) != 0 {
		t.Fatalf("a dry run offers %q", got)
	}
	wantEvents(t, "of another reason", s.must(consumer.RedriveOptions{Reasons: []consumer.Reason{consumer.Malformed}, Do: true}), map[string]int{})
	wantEvents(t, "of another time", s.must(consumer.RedriveOptions{Since: time.Now().Add(time.Hour), Do: true}), map[string]int{})
	wantEvents(t, "done", s.must(consumer.RedriveOptions{Do: true}), map[string]int{"offered": 20})
	s.samples.until("scores", func() bool { return s.samples.counted[s.again] == 20 })
	offered := s.records(s.again, 0)
	if len(offered) != 20 || !strings.Contains(offered[3], `"prompt":"p","version":"v1"`) || !strings.Contains(offered[3], `"tier":"free"`) ||
		!strings.Contains(offered[3], `"value":3`) {
		t.Errorf("offered %q", offered)
	}
	wantEvents(t, "done again", s.must(consumer.RedriveOptions{Do: true}), map[string]int{"already_offered": 20})
	if got := s.records(s.again, 0); len(got) != 20 {
		t.Errorf("%d events are offered, want 20", len(got))
	}
}

// Killed in the middle, run twice at the same time, and with what it wrote written once more, redrive has each event counted once.
func TestRedriveCountsOnce(t *testing.T) {
	t.Cleanup(consumer.OfferAtOnce(7))
	s := newRedriveStage(t)
	stop := s.start()
	s.unlinked(60)

	ctx, kill := context.WithCancel(t.Context())
	killed, err := s.redrive(ctx, consumer.RedriveOptions{Do: true, Progress: func(doing string, _, _ int64) {
		if doing == "offering" {
			kill()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	wantEvents(t, "killed", killed, map[string]int{"offered": 7})
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := s.redrive(t.Context(), consumer.RedriveOptions{Do: true}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	s.samples.until("scores", func() bool { return s.samples.counted[s.again] >= 60 })

	// Doubled by the network, or by a third who read the letters before the others wrote.
	f, err := s.client.NewFetcher(s.again, 0).Fetch(t.Context(), 0, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var doubled []kafkalog.Message
	for f.Next() {
		m := kafkalog.Message{Topic: s.again, Value: slices.Clone(f.Record().Value)}
		for _, h := range f.Record().Headers {
			m.Headers = append(m.Headers, kafkalog.Header{Key: h.Key, Value: slices.Clone(h.Value)})
		}
		doubled = append(doubled, m)
	}
	stop()
	if _, err := s.client.Produce(t.Context(), doubled); err != nil {
		t.Fatal(err)
	}
	s.start() // it knows the names from the log
	all := len(s.records(s.again, 0))
	s.untilRepeated(all - 60)
	s.samples.until("all", func() bool { return s.samples.counted[s.again] >= 60 })
	if got := s.samples.counted[s.again]; got != 60 || all < 67 {
		t.Errorf("%d of %d offers count, want 60", got, all)
	}
}

// bury writes a dead letter by hand.
func (s *redriveStage) bury(topic string, offset int, reason, value string, headers ...string) {
	s.t.Helper()
	topics, err := s.client.Topics(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	id := topics[topic].ID
	partition := "0"
	if offset > 0 && offset < 5000 { // of a partition that nobody reads any more, so that it is settled
		partition = "7"
	}
	m := kafkalog.Message{Topic: s.prefix + "dead", Value: []byte(value)}
	for i := 0; i < len(headers); i += 2 {
		m.Headers = append(m.Headers, kafkalog.Header{Key: headers[i], Value: []byte(headers[i+1])})
	}
	for k, v := range map[string]string{
		"driftd-topic": topic, "driftd-partition": partition, "driftd-offset": fmt.Sprint(offset), "driftd-reason": reason, "driftd-incarnation": hex.EncodeToString(id[:]),
	} {
		m.Headers = append(m.Headers, kafkalog.Header{Key: k, Value: []byte(v)})
	}
	if _, err := s.client.Produce(s.t.Context(), []kafkalog.Message{m}); err != nil {
		s.t.Fatal(err)
	}
}

func TestRedriveOutcomes(t *testing.T) {
	s := newRedriveStage(t)
	now := time.Now()
	call := otlpgen.Call{Trace: [16]byte{9}, Span: [8]byte{9}, Prompt: "p", Version: "v1", Start: now.Add(-time.Second), End: now, Scores: []otlpgen.Score{{Rubric: "seen", Value: 1}}}
	bare := call // its prompt stands on another span
	bare.Trace, bare.Prompt, bare.Version, bare.Scores = [16]byte{8}, "", "", nil
	s.produce(s.natives, 0, otlpgen.AppendNative(nil, &call))
	s.produce(s.natives, 1, fmt.Appendf(nil, `{"type":"span","kind":"other","time":%d,"trace_id":"%x","span_id":"0000000000000001","prompt":"render","version":"v9"}`, now.UnixNano(), bare.Trace),
		fmt.Appendf(otlpgen.AppendNative(nil, &bare)[:0:0], `{"type":"span","time":%d,"trace_id":"%x","span_id":"0000000000000002","response_id":"resp-1"}`, now.UnixNano(), bare.Trace))
	s.start()
	s.samples.until("the call", func() bool { return s.samples.counted[s.natives] == 2 })
	s.untilCommitted(s.natives, 0, 1)

	event := []string{"driftd-index", "0"}
	score := func(rest string) string {
		return fmt.Sprintf(`{"type":"score","time":%d,%s}`, now.UnixNano(), rest)
	}
	offset := 100
	f := func(want, topic, reason, value string, headers ...string) {
		t.Helper()
		offset++
		before := events(s.must(consumer.RedriveOptions{}))
		s.bury(topic, offset, reason, value, headers...)
		after := events(s.must(consumer.RedriveOptions{}))
		for o, n := range before {
			if after[o] -= n; after[o] == 0 {
				delete(after, o)
			}
		}
		wanted := map[string]int{}
		for o := range strings.FieldsSeq(want) {
			wanted[o]++
		}
		if !maps.Equal(after, wanted) {
			t.Errorf("%s letter of %s %q: %v, want %v", reason, topic, value, after, wanted)
		}
	}
	// Events whose rules were mended, or that time has mended.
	f("offered", s.scores, "unknown_label", score(`"prompt":"p","rubric":"verdict","label":"pass"`), event...)
	f("offered", s.scores, "out_of_range", score(`"prompt":"p","rubric":"grounding","value":0.5`), event...)
	f("offered", s.scores, "future", score(`"prompt":"p","rubric":"r","value":1`), event...)
	f("dies_again", s.scores, "unknown_label", score(`"prompt":"p","rubric":"verdict","label":"perhaps"`), event...)
	f("dies_again", s.scores, "out_of_range", score(`"prompt":"p","rubric":"grounding","value":7`), event...)
	f("dies_again", s.scores, "label_value", score(`"prompt":"p","rubric":"r","value":1`), event...) // what was wrong is not in the letter
	f("dies_again", s.scores, "unlinked", `{"type":"tree"}`, event...)
	f("too_old", s.scores, "unknown_label", fmt.Sprintf(`{"type":"score","time":%d,"prompt":"p","rubric":"verdict","label":"pass"}`, now.Add(-25*time.Hour).UnixNano()), event...)
	// Links.
	f("offered", s.scores, "unlinked", score(`"trace_id":"09000000000000000000000000000000","rubric":"r","value":1`), event...)
	f("offered", s.scores, "unlinked", score(`"response_id":"resp-1","rubric":"r","value":1`), event...)
	f("still_unlinked", s.scores, "unlinked", score(`"response_id":"resp-2","rubric":"r","value":1`), event...)
	f("still_unlinked", s.scores, "unlinked", score(`"trace_id":"07000000000000000000000000000000","rubric":"r","value":1`), event...)
	// A letter of a topic that is no source any more: the event is native.
	f("offered", s.group+"-gone", "unknown_label", score(`"prompt":"p","rubric":"verdict","label":"pass"`), event...)
	// Records.
	f("offered offered", s.spans, "encoding", string(otlpgen.AppendCalls(nil, nil, call, call)))
	f("offered dies_again", s.natives, "wrong_type", fmt.Sprintf(`{"type":"span","time":%d,"prompt":"p","scores":{"a":1,"grounding":9}}`, now.UnixNano()))
	f("still_unlinked", s.natives, "wrong_type", fmt.Sprintf(`{"type":"span","time":%d}`, now.UnixNano()))
	f("nothing_counts", s.natives, "wrong_type", fmt.Sprintf(`{"type":"span","kind":"other","time":%d}`, now.UnixNano()))
	f("dies_again", s.natives, "malformed", `{`)
	f("truncated", s.natives, "malformed", `{`, "driftd-truncated", "300000")
	f("private", s.natives, "malformed", ``, "driftd-truncated", "300000")
	f("not_kept", s.natives, "corrupt_batch", ``)
	// One that was offered before, and died once more.
	f("offered", s.again, "unknown_label", score(`"prompt":"p","rubric":"verdict","label":"pass"`), event...)
	// A call in a record, whose prompt stands on a span elsewhere; and one inside another call.
	f("offered", s.natives, "wrong_type", fmt.Sprintf(`{"type":"span","time":%d,"trace_id":"%x","span_id":"0000000000000003","latency":1}`, now.UnixNano(), bare.Trace))
	f("nothing_counts", s.natives, "wrong_type", fmt.Sprintf(`{"type":"span","time":%d,"trace_id":"%x","span_id":"0000000000000004","parent_span_id":"0000000000000002"}`, now.UnixNano(), bare.Trace))
	f("no_source", s.group+"-gone", "malformed", `{"type":"span"}`)
	f("no_source", s.prefix+"samples", "bad_samples", `no batch`)

	// Ingest may read it once more and count it itself.
	offset = 5000
	f("not_settled", s.scores, "unknown_label", score(`"prompt":"p","rubric":"verdict","label":"pass"`), event...)

	// Counted after all: the letter is of a reading that did not come to its commit.
	offset = -1
	f("already_counted", s.natives, "wrong_type", string(otlpgen.AppendNative(nil, &call)))
	offset = -1
	f("already_counted", s.natives, "unknown_label", score(`"prompt":"p","rubric":"seen","label":"x"`), event...)
	offset = -1 // its call was counted, this score was not
	f("offered", s.natives, "unknown_label", score(`"prompt":"p","rubric":"verdict","label":"pass"`), event...)
	offset = -1 // ingest wrote the letter twice
	f("already_offered", s.natives, "unknown_label", score(`"prompt":"p","rubric":"verdict","label":"pass"`), event...)
}

// What needs more memory than it may have is told, before anything is offered.
func TestRedriveMindsMemory(t *testing.T) {
	s := newRedriveStage(t)
	s.bury(s.scores, 100, "unlinked", fmt.Sprintf(`{"type":"score","time":%d,"trace_id":"09000000000000000000000000000000","rubric":"r","value":1}`, time.Now().UnixNano()), "driftd-index", "0")
	c := consumer.Config{
		Client: s.client, Now: time.Now, TopicPrefix: s.prefix, Sources: []consumer.SourceTopic{{Topic: s.again, Encoding: "driftd_json", Again: true}},
		Encodings: map[string]consumer.Format{"driftd_json": {New: driftdjson.New}}, Linking: consumer.Linking{Horizon: time.Minute, Memory: 4},
	}
	r, err := consumer.Redrive(t.Context(), c, consumer.RedriveOptions{Do: true})
	if err == nil || !strings.Contains(err.Error(), "linking.memory") || len(r.Rows) > 0 {
		t.Errorf("%v, %+v", err, r)
	}
}

// The headers of an envelope are kept in the letter of a record, or it could not be read again.
func TestRedriveReadsEnvelopes(t *testing.T) {
	s := newRedriveStage(t)
	now := time.Now()
	call := otlpgen.Call{Prompt: "p", Version: "v1", Start: now.Add(-time.Second), End: now}
	m := kafkalog.Message{Topic: s.natives, Value: otlpgen.AppendNative(nil, &call), Headers: []kafkalog.Header{
		{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "authorization", Value: []byte("a secret")},
	}}
	if _, err := s.client.Produce(t.Context(), []kafkalog.Message{m}); err != nil {
		t.Fatal(err)
	}
	source := consumer.SourceTopic{Topic: s.natives, Encoding: "otlp_proto", Unwrap: cloudevents.Unwrap}
	s.run(func(c *consumer.Config) { c.Sources = []consumer.SourceTopic{source} }) // the encoding is a mistake
	s.untilLetters(1)
	f, err := s.client.NewFetcher(s.prefix+"dead", 0).Fetch(t.Context(), 0, time.Second)
	if err != nil || !f.Next() {
		t.Fatal(err)
	}
	for _, h := range f.Record().Headers {
		if h.Key == "authorization" {
			t.Error("the letter has a secret of the record's headers")
		}
	}
	s.untilCommitted(s.natives, 0, 1)
	source.Encoding = "driftd_json"
	r, err := consumer.Redrive(t.Context(), consumer.Config{
		Client: s.client, Now: time.Now, TopicPrefix: s.prefix, Group: s.group, Sources: []consumer.SourceTopic{source, {Topic: s.again, Encoding: "driftd_json", Again: true}},
		Encodings: map[string]consumer.Format{"driftd_json": {New: driftdjson.New}},
	}, consumer.RedriveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, "of a CloudEvent", r, map[string]int{"offered": 1})
}
