package embedded_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
)

func TestControl(t *testing.T) {
	b, err := embedded.Start(embedded.Options{Nodes: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if len(b.Addrs()) != 2 {
		t.Errorf("two nodes listen at %v", b.Addrs())
	}
	c, err := kafkalog.Dial(kafkalog.Config{Brokers: b.Addrs()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.EnsureTopics(t.Context(), []kafkalog.TopicSpec{{Name: "t", Partitions: 1}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b.Control(kmsg.Produce, func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errors.New("cut"), true })
	}
	msgs := []kafkalog.Message{{Topic: "t", Value: []byte("v")}}
	for i, fails := range []bool{true, true, false} {
		if _, err := c.Produce(t.Context(), msgs); (err != nil) != fails {
			t.Errorf("produce %d: %v", i, err)
		}
	}
}

func TestStartFails(t *testing.T) {
	b, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := embedded.Start(embedded.Options{Ports: []int{70000}}); err == nil {
		t.Error("starts on port 70000")
	} else {
		t.Log(err)
	}
}
