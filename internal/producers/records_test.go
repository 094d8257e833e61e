package producers

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/driftd/driftd/internal/kafkalog"
)

// TestRecords holds what the Collector's Kafka exporter makes of keys, partitions, headers and codecs: linking rests on it.
func TestRecords(t *testing.T) {
	const partitions, traces = 7, 60
	routes := []route{
		{Name: "proto", Encoding: "otlp_proto", Keyed: true},
		{Name: "json", Encoding: "otlp_json", Keyed: true},
		{Name: "plain", Encoding: "otlp_proto"},
		{Name: "murmur2", Encoding: "otlp_proto", Keyed: true, Murmur2: true, Codec: "gzip"},
		{Name: "snappy", Encoding: "otlp_proto", Keyed: true, Codec: "snappy"},
		{Name: "lz4", Encoding: "otlp_json", Keyed: true, Codec: "lz4"},
		{Name: "zstd", Encoding: "otlp_json", Keyed: true, Codec: "zstd"},
	}
	r := newRig(t, partitions, routes...)
	s := runGoSDK(t, r.GRPC, "-traces", fmt.Sprint(traces))
	t.Logf("the Go SDK sent %+v", s)
	codecs := map[string]uint8{"": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
	for _, route := range r.Routes {
		for _, topic := range []string{route.Spans, route.Logs} {
			events, seen, fits := 0, 0, map[string]int{}
			newTap(t, r.Brokers, topic).until(topic, func(rec *kgo.Record) bool {
				seen++
				events += countEvents(t, route.Encoding, rec.Value)
				if len(rec.Headers) > 0 {
					t.Errorf("%s: headers %v", topic, rec.Headers)
				}
				if rec.Attrs.CompressionType() != codecs[route.Codec] {
					t.Errorf("%s: codec %d", topic, rec.Attrs.CompressionType())
				}
				if !route.Keyed && rec.Key != nil {
					t.Errorf("%s: key %q", topic, rec.Key)
				}
				if route.Keyed {
					if len(rec.Key) != 32 || !bytes.Contains(rec.Value, traceOf(t, route.Encoding, rec.Key)) {
						t.Errorf("%s: key %q is not the record's trace id in hex", topic, rec.Key)
					}
					if kafkalog.PartitionFor(string(rec.Key), partitions) == int(rec.Partition) {
						fits["murmur2"]++
					}
					if sarama(rec.Key, partitions) == int(rec.Partition) {
						fits["fnv1a"]++
					}
				}
				return topic == route.Spans && events >= s.Spans || topic == route.Logs && events >= s.Scores
			})
			t.Logf("%-8s %-10s keyed %-5v %3d records, %3d events; partition as by %v", route.Name, route.Encoding, route.Keyed, seen, events, fits)
			want := "fnv1a"
			if route.Murmur2 {
				want = "murmur2"
			}
			if route.Keyed && fits[want] != seen {
				t.Errorf("%s: %d of %d records stand where %s puts them", topic, fits[want], seen, want)
			}
		}
	}
}

// sarama is the partition that the exporter chooses unless told otherwise.
func sarama(key []byte, partitions int) int {
	h := fnv.New32a()
	h.Write(key)
	p := int(int32(h.Sum32()) % int32(partitions))
	return max(p, -p)
}

// traceOf is a trace id as it stands in a record of an encoding.
func traceOf(t *testing.T, encoding string, key []byte) []byte {
	t.Helper()
	if encoding == "otlp_json" {
		return key
	}
	id, err := hex.DecodeString(string(key))
	if err != nil {
		t.Errorf("key %q: %v", key, err)
	}
	return id
}

// countEvents counts the spans or log records of an export request.
func countEvents(t *testing.T, encoding string, value []byte) int {
	t.Helper()
	if encoding == "otlp_proto" {
		// Both requests have one field; resource, scope and event are field 1 or 2 of what holds them.
		return countField(t, value, 1, 2, 2)
	}
	type scope struct{ Spans, LogRecords []json.RawMessage }
	var request struct {
		ResourceSpans []struct{ ScopeSpans []scope }
		ResourceLogs  []struct{ ScopeLogs []scope }
	}
	if err := json.Unmarshal(value, &request); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range request.ResourceSpans {
		for _, s := range r.ScopeSpans {
			n += len(s.Spans)
		}
	}
	for _, r := range request.ResourceLogs {
		for _, s := range r.ScopeLogs {
			n += len(s.LogRecords)
		}
	}
	return n
}
