package kafkalog

import "testing"

func TestPartitionForIsKafkas(t *testing.T) {
	// From org.apache.kafka.common.utils.UtilsTest.testMurmur2.
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2(key)); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
		if got, want := PartitionFor(key, 16), int(uint32(want)&0x7fffffff)%16; got != want {
			t.Errorf("PartitionFor(%q, 16) = %d, want %d", key, got, want)
		}
	}
}
