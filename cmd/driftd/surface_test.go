package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
	"github.com/driftd/driftd/internal/web"
)

func TestMember(t *testing.T) {
	for want, m := range map[web.Check]*kafkalog.Membership{
		{OK: true, Detail: "7 partitions"}:                                                         {Joined: true, Partitions: 7},
		{OK: true, Detail: "1 partition"}:                                                          {Joined: true, Partitions: 1},
		{OK: true, Detail: "0 partitions"}:                                                         {Joined: true},
		{OK: true, Detail: "3 partitions; topic scores does not exist, waiting for it"}:            {Joined: true, Partitions: 3, Missing: []string{"scores"}},
		{Detail: "topic a does not exist, waiting for it; topic b does not exist, waiting for it"}: {Missing: []string{"a", "b"}},
		{Detail: "not authorized"}:                                                                 {Problem: "not authorized", Partitions: 4},
		{Detail: "joining"}:                                                                        {},
		{Detail: "waits for driftd's topics"}:                                                      nil,
	} {
		members := map[string]kafkalog.Membership{}
		if m != nil {
			members["g"] = *m
		}
		want.Name = "ingest"
		if got := member(members, "ingest", "g"); got != want {
			t.Errorf("%+v: got %+v, want %+v", m, got, want)
		}
	}
}

// TestReadyWaitsForSources: a daemon that reads nothing is not ready, and says what it waits for.
func TestReadyWaitsForSources(t *testing.T) {
	w, _ := newStoryWorld(t, testkit.Broker(t))
	d := w.start()
	w.until("it says what it waits for", func() bool {
		ok, body := d.ready()
		return !ok && strings.Contains(body, "does not exist, waiting for it")
	})
	w.makeSources()
	w.until("it is ready", func() bool {
		ok, body := d.ready()
		return ok && !strings.Contains(body, "waiting for it")
	})
}

// TestReadySaysWhatCannotBeLinked: a daemon is ready where linking cannot work, but says why, and the cure.
func TestReadySaysWhatCannotBeLinked(t *testing.T) {
	w, _ := newStoryWorld(t, testkit.Broker(t))
	var specs []kafkalog.TopicSpec
	for i, name := range []string{spansSource, nativeEvent} {
		specs = append(specs, kafkalog.TopicSpec{Name: w.prefix + name, Partitions: 2 + i, ReplicationFactor: 1})
	}
	if err := w.client.EnsureTopics(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	d := w.start()
	says := func(parts ...string) func() bool {
		return func() bool {
			ok, body := d.ready()
			return ok && !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(body, part) })
		}
	}
	w.until("it says that the counts differ", says("2 and 3 partitions cannot be linked", w.prefix+spansSource))
	if !strings.Contains(w.log.String(), "records cannot be linked") {
		t.Error("the log says nothing of it")
	}
	var msgs []kafkalog.Message
	for i := range 200 {
		msgs = append(msgs, kafkalog.Message{Topic: w.prefix + nativeEvent, Value: fmt.Appendf(nil,
			`{"type":"span","time":%d,"trace_id":"%032x","span_id":"%016x"}`, w.now.Load(), i+1, i+1)})
	}
	w.publish(msgs)
	w.until("it says that keys are missing", says("have no key", "partition_traces_by_id: true"))
}

// TestPartitionCountHint says what to set.
func TestPartitionCountHint(t *testing.T) {
	k := &config.Kafka{TopicPrefix: "p."}
	for topic, want := range map[string]string{"p.samples": "set kafka.partitions to 8", "p.dead": "delete the topic"} {
		if got := countHint(k, &kafkalog.PartitionCountError{Topic: topic, Want: 16, Have: 8}); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", topic, got)
		}
	}
}
