package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/internal/testkit"
)

// crashable is a broker that can refuse what daemons write last: offsets and checkpoints. A daemon that is stopped meanwhile leaves
// as much behind as one that was killed, but for the group, which need not find out by a timeout. Apache Kafka cannot be told so.
func crashable(t *testing.T) (brokers []string, crash *atomic.Bool) {
	crash = new(atomic.Bool)
	if testkit.Real() {
		return testkit.Broker(t), crash
	}
	b := testkit.Embedded(t, embedded.Options{})
	refuse := func(this func(kmsg.Request) bool) func(kmsg.Request) (kmsg.Response, error, bool) {
		return func(r kmsg.Request) (kmsg.Response, error, bool) {
			b.Keep()
			if crash.Load() && this(r) {
				return nil, errors.New("the daemon was killed"), true
			}
			return nil, nil, false
		}
	}
	b.Control(kmsg.OffsetCommit, refuse(func(kmsg.Request) bool { return true }))
	b.Control(kmsg.Produce, refuse(func(r kmsg.Request) bool {
		return slices.ContainsFunc(r.(*kmsg.ProduceRequest).Topics, func(t kmsg.ProduceRequestTopic) bool { return strings.HasSuffix(t.Topic, ".state") })
	}))
	return b.Addrs(), crash
}

// TestRestartsAndRebalances stops, kills and starts daemons at random points of the story, two of them at once for some of the time.
// What they say of it is what one daemon would have said: nothing lost, nothing doubled.
func TestRestartsAndRebalances(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	brokers, crash := crashable(t)
	w, s := newStoryWorld(t, brokers)
	w.makeSources()

	rounds := []time.Duration{10 * time.Minute, promotedAt, 30 * time.Minute, rolledBackAt, 50 * time.Minute, storyEnds}
	var alive []*instance
	sent, skipped := 0, 0.0
	for round, at := range rounds {
		for len(alive) < 1+round%2 {
			alive = append(alive, w.start())
		}
		next := s.until(at)
		publish := func(to int) {
			for sent < to {
				n := min(sent+1+rng.IntN(40), to)
				w.publish(s.msgs[sent:n])
				sent = n
			}
		}
		written := func() (n float64) {
			for _, d := range alive {
				n += d.counter("driftd_consumer_rounds_total")
			}
			return n
		}
		kills := at < storyEnds && round%3 != 0 // others are stopped
		if kills && skipped == 0 {              // it dies with events that it wrote and cannot commit
			publish(max(sent, next-40))
			w.until("ingest reads", func() bool { return written() > 0 })
			crash.Store(true)
			before := written()
			publish(next)
			w.until("ingest has written what it cannot commit", func() bool { return written() > before })
		}
		publish(next)
		if at == rolledBackAt { // what is over before anybody looks is not rolled back
			w.until("the registry has promoted", func() bool { return len(w.registry.Promotions()) > 0 })
			// Nor is it told by a receiver that was killed before it could commit where it begins: it is a new one.
			w.until("Slack is told", func() bool { return len(w.messages(badRule)) > 0 })
		}
		if at < storyEnds {
			<-time.After(time.Duration(rng.IntN(400)) * time.Millisecond) // some moment between joining the group and having read it all
			i := rng.IntN(len(alive))
			crash.Store(kills)
			alive[i].stop()
			crash.Store(false)
			skipped += alive[i].counter("driftd_detector_skipped_samples_total")
			alive = slices.Delete(alive, i, i+1)
		}
	}
	w.untilStep(countRule, detector.Firing)
	w.untilStep(badRule, detector.Resolved)
	s.check(w)
	for _, d := range alive {
		skipped += d.counter("driftd_detector_skipped_samples_total")
	}
	if t.Logf("%v samples came again and were passed over", skipped); skipped == 0 && !testkit.Real() {
		t.Error("nothing came again: no daemon was killed in the middle of anything")
	}
	w.until("Slack's message says that it is over", func() bool {
		m := w.messages(badRule)
		return len(m) > 0 && strings.Contains(m[0].Text+string(m[0].Blocks), "Resolved")
	})
	if m := w.messages(badRule); len(m) != 1 {
		t.Errorf("Slack has %d messages about %s, want one, changed in place: %+v", len(m), badRule, m)
	}
}

// TestBrokerDown starts a daemon without a broker, and takes the broker away in the middle.
func TestBrokerDown(t *testing.T) {
	if testkit.Real() {
		t.Skip("all tests share Apache Kafka: it is not stopped; the embedded broker is, in make test")
	}
	port := freePort(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	w, s := newStoryWorld(t, []string{addr})
	d := w.start()
	notReady := func() bool { ok, body := d.ready(); return !ok && strings.Contains(body, "kafka") }
	isReady := func() bool { ok, _ := d.ready(); return ok }
	w.until("it says that it is not ready", notReady)

	dir := t.TempDir()
	up := func() *embedded.Broker {
		t.Helper()
		b, err := embedded.Start(embedded.Options{DataDir: dir, Ports: []int{port}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	broker := up()
	w.makeSources()
	w.until("it is ready", isReady)
	half := s.until(rolledBackAt)
	w.publish(s.msgs[:half/2])
	w.until("it reads", func() bool { return d.counter("driftd_consumer_records_total") > 0 })

	broker.Close()
	w.until("it says that it is not ready any more", notReady)
	broker = up()
	t.Cleanup(func() { broker.Close() })
	w.dial()
	w.publish(s.msgs[half/2 : half])
	w.until("it is ready again", isReady)
	w.until("the registry has promoted", func() bool { return len(w.registry.Promotions()) > 0 })
	w.publish(s.msgs[half:])
	w.untilStep(countRule, detector.Firing)
	w.untilStep(badRule, detector.Resolved)
	s.check(w)
	if n := strings.Count(w.log.String(), "level=WARN"); n > 200 {
		t.Errorf("%d warnings: a broker that is away should be logged when that changes", n)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestPoison mixes records into the story that no one can use. Each is in the dead letters with its place and a reason, and
// nothing else is disturbed.
func TestPoison(t *testing.T) {
	w, s := newStoryWorld(t, testkit.Broker(t))
	w.makeSources()
	good := otlpgen.Call{Prompt: storyPrompt, Version: "v17", Tier: "free", Locale: "en", Start: storyBegins, End: storyBegins.Add(time.Minute), InputTokens: 1}
	otlp := otlpgen.AppendCalls(nil, nil, good)
	native := func(change string) []byte {
		return []byte(`{"type":"span","time":"2026-11-20T14:30:00Z","prompt":"` + storyPrompt + `","version":"v17",` + change + `}`)
	}
	poison := []struct {
		topic, reason string
		value         []byte
	}{
		{spansSource, "malformed", otlp[:len(otlp)-3]},
		{spansSource, "encoding", []byte(`{"resourceSpans":[]}`)},
		{spansSource, "", nil}, // a tombstone: nobody's event
		{nativeEvent, "malformed", []byte(`{"type":"span","time":"2026-11-20T14:30:00Z","prompt":"ref`)},
		{nativeEvent, "malformed", native(`"latency":NaN`)},
		{nativeEvent, "wrong_type", native(`"latency":"fast"`)},
		{nativeEvent, "bad_value", native(`"cost":1e300`)},
		{nativeEvent, "negative_latency", native(`"latency":-1`)},
		{nativeEvent, "out_of_range", native(`"scores":{"` + scoreRubric + `":7}`)},
		{nativeEvent, "bad_time", []byte(`{"type":"span","time":"1970-01-01T00:00:01Z","prompt":"` + storyPrompt + `"}`)},
		{nativeEvent, "future", []byte(`{"type":"span","time":"2100-01-01T00:00:00Z","prompt":"` + storyPrompt + `"}`)},
		{nativeEvent, "prompt_name", []byte(`{"type":"span","time":"2026-11-20T14:30:00Z","prompt":"a\nb<script>"}`)},
		{nativeEvent, "unlinked", []byte(`{"type":"score","time":"2026-11-20T14:30:00Z","trace_id":"5b8efff798038103d269b633813fc60c","rubric":"` + scoreRubric + `","value":0.1}`)},
		{nativeEvent, "too_deep", native(`"more":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000))},
	}
	w.start()
	want := make(map[string]int)
	half := s.until(rolledBackAt)
	for i, p := range poison {
		w.publish(s.msgs[half*i/len(poison) : half*(i+1)/len(poison)])
		w.publish([]kafkalog.Message{{Topic: w.prefix + p.topic, Partition: i % srcTopics, Value: p.value}})
		if p.reason != "" {
			want[p.topic+" "+p.reason]++
		}
	}
	w.until("the registry has promoted", func() bool { return len(w.registry.Promotions()) > 0 })
	w.publish(s.msgs[half:])
	w.untilStep(countRule, detector.Firing)
	w.untilStep(badRule, detector.Resolved)
	s.check(w)
	got := make(map[string]int)
	w.read("dead", func(rec *kafkalog.Record) {
		h := make(map[string]string)
		for _, header := range rec.Headers {
			h[header.Key] = string(header.Value)
		}
		for _, name := range []string{"driftd-topic", "driftd-partition", "driftd-offset", "driftd-reason", "driftd-detail", "driftd-time"} {
			if h[name] == "" {
				t.Errorf("a dead letter has no header %s: %v", name, h)
			}
		}
		got[strings.TrimPrefix(h["driftd-topic"], w.prefix)+" "+h["driftd-reason"]]++
	})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("dead letters\n  %v\nwant\n  %v", got, want)
	}
}

// TestSlackDown: whoever cannot be told is told later, and holds up nobody else.
func TestSlackDown(t *testing.T) {
	w, s := newStoryWorld(t, testkit.Broker(t))
	w.makeSources()
	open := make(chan struct{})
	w.slack.Fail(
		fakeslack.Fault{Status: http.StatusServiceUnavailable, Error: "down"},
		fakeslack.Fault{Status: http.StatusTooManyRequests, RetryAfter: "1", Error: "ratelimited"},
		fakeslack.Fault{Error: "internal_error"},
		fakeslack.Fault{Hang: open}, fakeslack.Fault{Hang: open}, fakeslack.Fault{Hang: open},
	)
	d := w.start()
	half := s.until(rolledBackAt)
	w.publish(s.msgs[:half])
	w.until("the registry has promoted", func() bool { return len(w.registry.Promotions()) > 0 })
	w.until("the webhook is told", func() bool { return len(w.hook.records(badRule)) > 0 })
	w.until("Slack was tried", func() bool { return len(w.slack.Calls()) > 0 })
	if m := w.slack.Messages(); len(m) != 0 {
		t.Errorf("Slack has %+v although it is down", m)
	}
	w.until("driftd is ready, and shows the one receiver that is in trouble", func() bool {
		ok, body := d.ready()
		_, after, _ := strings.Cut(body, `"act oncall"`)
		check, _, _ := strings.Cut(after, "}")
		return ok && strings.Contains(check, `"trouble": true`)
	})
	close(open)
	w.until("Slack is told", func() bool { return len(w.messages(badRule)) == 1 })
	if m := w.messages(badRule)[0]; strings.Contains(m.Text, "Resolved") {
		t.Errorf("Slack is told of the end before it has come: %s", m.Text)
	}
	w.publish(s.msgs[half:])
	w.untilStep(countRule, detector.Firing)
	w.until("Slack's message says that it is over", func() bool { return strings.Contains(w.messages(badRule)[0].Text, "Resolved") })
	s.check(w)
}
