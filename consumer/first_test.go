package consumer

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestSeenTopics(t *testing.T) {
	l := &layout{ids: map[string][16]byte{"a": {1, 15: 255}, "b.c-d_e": {}}, partitions: map[string]int{"a": 16}}
	sources := []SourceTopic{{Topic: "a"}, {Topic: "b.c-d_e"}}
	got := parseSeen(l.seen(sources))
	if want := map[string]seenTopic{"a": {l.ids["a"], 16}, "b.c-d_e": {}}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for i := range 100 {
		sources = append(sources, SourceTopic{Topic: strings.Repeat("x", 200) + fmt.Sprint(i)})
	}
	sources = append(sources, SourceTopic{Topic: "z"})
	long := l.seen(sources)
	if got := parseSeen(long); len(long) > maxSeen || len(got) < 15 || got["a"].partitions != 16 {
		t.Errorf("%d bytes, %d topics", len(long), len(got))
	}
	for _, other := range []string{"", "driftd1", "mirror a AAAAAAAAAAAAAAAAAAAAAA 1", "driftd1 a b 1", "driftd1 a AAAA 1", "driftd1 a AAAAAAAAAAAAAAAAAAAAAA x"} {
		if got := parseSeen(other); len(got) > 0 {
			t.Errorf("%q reads as %v", other, got)
		}
	}
}
