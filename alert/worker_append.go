package alert

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
)

// Appender writes records of people and of registries into the alerts topic.
type Appender struct {
	Client     *kafkalog.Client
	Prefix     string // of driftd's topics
	Partitions int    // of the alerts topic
}

// Append writes r into its partition: that of its prompt, or of its ID where it has none. It returns when all in-sync replicas
// have it. After an error it may have been written or not.
func (a *Appender) Append(ctx context.Context, r detector.Record) (partition int, offset int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, produceWithin)
	defer cancel()
	value, err := json.Marshal(&r)
	if err != nil {
		return 0, 0, fmt.Errorf("encode %s record of %s: %w", r.Type, r.ID, err)
	}
	key := r.Prompt
	if key == "" {
		key = r.ID
	}
	partition = kafkalog.PartitionFor(key, a.Partitions)
	offsets, err := a.Client.Produce(ctx, []kafkalog.Message{{
		Topic: a.Prefix + "alerts", Partition: partition, Key: []byte(r.Prompt), Value: value,
	}})
	if err != nil {
		return partition, 0, err
	}
	return partition, offsets[0], nil
}
