package producers

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// patience is how long the harness waits for anything that a producer or the Collector is to do.
const patience = 3 * time.Minute

// tap reads topics from their beginning, as they are.
type tap struct {
	t      *testing.T
	client *kgo.Client
}

func newTap(t *testing.T, brokers []string, topics ...string) *tap {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &tap{t, c}
}

// until returns what is new, in the order of each partition, up to and with the record that done is true for.
func (p *tap) until(what string, done func(*kgo.Record) bool) []*kgo.Record {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	var got []*kgo.Record
	for {
		fetches := p.client.PollFetches(ctx)
		if ctx.Err() != nil {
			p.t.Fatalf("no %s in %v; %d records came", what, patience, len(got))
		}
		fetches.EachError(func(topic string, partition int32, err error) { p.t.Fatalf("read %s[%d]: %v", topic, partition, err) })
		ended := false
		fetches.EachRecord(func(r *kgo.Record) {
			got = append(got, r)
			ended = done(r) || ended
		})
		if ended {
			return got
		}
	}
}
