package stream

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/rules"
)

func TestSameSpecSameStream(t *testing.T) {
	a, b := New(Spec{Seed: 7, Length: 10 * time.Minute}), New(Spec{Seed: 7, Length: 10 * time.Minute})
	if !reflect.DeepEqual(a, b) {
		t.Error("one spec makes two streams")
	}
	if c := New(Spec{Seed: 8, Length: 10 * time.Minute}); reflect.DeepEqual(a.Records, c.Records) {
		t.Error("two seeds make one stream")
	}
	if !slices.IsSortedFunc(a.Records, func(a, b Record) int { return int(a.Due - b.Due) }) {
		t.Error("records are not in the order in which they are due")
	}
}

func TestRulesAreSound(t *testing.T) {
	for _, special := range []bool{false, true} {
		s := New(Spec{Length: 5 * time.Minute, Rollback: special, Cut: special})
		if strings.Contains(s.Rules, "SlowTail") == special {
			t.Errorf("cut %v, rules:\n%s", special, s.Rules)
		}
		_, problems := rules.Parse("rules.yaml", []byte(s.Rules), rules.Options{Dimensions: Dimensions})
		if err := problems.Err(); err != nil {
			t.Error(err)
		}
	}
}

// TestPartitions holds the hash of keys against that of Kafka's own producer.
func TestPartitions(t *testing.T) {
	for key, want := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971} {
		if got := int32(murmur2(key)); got != want {
			t.Errorf("hash of %s is %d, want %d", key, got, want)
		}
	}
}

// TestGrowth: partitions that a topic does not have yet get nothing.
func TestGrowth(t *testing.T) {
	s := New(Spec{Length: 10 * time.Minute, Partitions: 2, GrowTo: 3, GrowAt: 5 * time.Minute})
	seen := false
	for _, r := range s.Records {
		if r.Partition == 2 {
			seen = true
			if r.Due < 5*time.Minute {
				t.Fatalf("record of %v goes to a partition that is made later", r.Due)
			}
		}
	}
	if !seen {
		t.Error("nothing goes to the partition that was added")
	}
}
