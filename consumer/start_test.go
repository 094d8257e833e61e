package consumer

import (
	"math"
	"reflect"
	"slices"
	"testing"
)

func TestResume(t *testing.T) {
	old, id := [16]byte{1}, [16]byte{2}
	meta := func(topic [16]byte, n uint64) string { return lineage{topic, n}.String() }
	none := committed{offset: -1}
	for name, tc := range map[string]struct {
		topic       [16]byte
		at, copied  committed
		first, next int64
		want        beginning
	}{
		"nothing committed":            {id, none, none, 5, 90, beginning{lineage: lineage{topic: id}, offset: 5, fresh: true}},
		"goes on":                      {id, committed{40, meta(id, 3)}, none, 5, 90, beginning{lineage: lineage{id, 3}, offset: 40}},
		"flushed by the clock":         {id, committed{40, lineage{id, 3}.metadata([]int64{20, 50})}, none, 5, 90, beginning{lineage: lineage{id, 3}, offset: 40, fences: []int64{20, 50}}},
		"at the end":                   {id, committed{90, meta(id, 0)}, none, 5, 90, beginning{lineage: lineage{topic: id}, offset: 90}},
		"topic made again":             {id, committed{40, meta(old, 2)}, none, 0, 90, beginning{lineage: lineage{topic: id}, reset: resetRecreated}},
		"topic made again and shorter": {id, committed{400, meta(old, 0)}, none, 0, 90, beginning{lineage: lineage{topic: id}, reset: resetRecreated}},
		"retention passed it":          {id, committed{3, meta(id, 0)}, none, 5, 90, beginning{lineage: lineage{topic: id}, offset: 5, gap: 2, why: gapRetention}},
		"log cut back":                 {id, committed{100, meta(id, 0)}, none, 5, 90, beginning{lineage: lineage{id, 1}, offset: 90, reset: resetTruncated}},
		"without ids":                  {[16]byte{}, committed{40, meta([16]byte{}, 2)}, none, 5, 90, beginning{lineage: lineage{counter: 2}, offset: 40}},
		"without ids, shorter":         {[16]byte{}, committed{100, meta([16]byte{}, 2)}, none, 5, 90, beginning{lineage: lineage{counter: 3}, offset: 5, reset: resetRecreated}},
		"brokers that learned ids":     {id, committed{40, meta([16]byte{}, 2)}, none, 5, 90, beginning{lineage: lineage{topic: id}, offset: 40}},

		"set by hand":                        {id, committed{10, ""}, none, 5, 90, beginning{lineage: lineage{topic: id}, offset: 10}},
		"foreign metadata":                   {id, committed{10, "mirror maker"}, none, 5, 90, beginning{lineage: lineage{topic: id}, offset: 10}},
		"set below the log":                  {id, committed{3, ""}, none, 5, 90, beginning{lineage: lineage{topic: id}, offset: 5, gap: 2, why: gapRetention}},
		"set beyond the end":                 {id, committed{100, ""}, none, 5, 90, beginning{lineage: lineage{topic: id}, offset: 5, reset: resetTruncated}},
		"set back":                           {id, committed{10, ""}, committed{40, lineage{id, 3}.metadata([]int64{20, 50})}, 5, 90, beginning{lineage: lineage{id, 3}, offset: 10, fences: []int64{20, 50}}},
		"set back below the log":             {id, committed{3, ""}, committed{40, meta(id, 0)}, 5, 90, beginning{lineage: lineage{topic: id}, offset: 5}},
		"set forward":                        {id, committed{60, ""}, committed{40, meta(id, 0)}, 5, 90, beginning{lineage: lineage{topic: id}, offset: 60, gap: 20, why: gapForward}},
		"set forward, and retention":         {id, committed{60, ""}, committed{4, meta(id, 0)}, 5, 90, beginning{lineage: lineage{topic: id}, offset: 60, gap: 56, why: gapForward}},
		"set back, but retention was faster": {id, committed{1, ""}, committed{2, meta(id, 0)}, 5, 90, beginning{lineage: lineage{topic: id}, offset: 5, gap: 3, why: gapRetention}},
		"set by hand in a log that was cut back": {id, committed{10, ""}, committed{100, meta(id, 1)}, 5, 90,
			beginning{lineage: lineage{id, 2}, offset: 90, reset: resetTruncated}},
		"set by hand in another topic": {id, committed{10, ""}, committed{40, meta(old, 1)}, 5, 90, beginning{lineage: lineage{topic: id}, offset: 10}},

		"group deleted":                {id, none, committed{40, lineage{id, 3}.metadata([]int64{20, 50})}, 5, 90, beginning{lineage: lineage{id, 3}, offset: 5, read: 40, fences: []int64{20, 50}, reset: resetForgotten}},
		"group deleted, and retention": {id, none, committed{3, meta(id, 0)}, 5, 90, beginning{lineage: lineage{topic: id}, offset: 5, read: 3, gap: 2, why: gapRetention, reset: resetForgotten}},
		"forgotten with the topic":     {id, none, committed{40, meta(old, 0)}, 0, 90, beginning{lineage: lineage{topic: id}, reset: resetRecreated}},
		"foreign copy":                 {id, none, committed{40, "mirror maker"}, 0, 90, beginning{lineage: lineage{topic: id}, fresh: true}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.first = tc.first
			if got := resume(tc.topic, tc.at, tc.copied, tc.first, tc.next); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestLineage(t *testing.T) {
	a, b := lineage{topic: [16]byte{1, 15: 7}}, lineage{topic: [16]byte{1, 15: 7}, counter: 1}
	if a.incarnation() != a.topic || b.incarnation() == a.incarnation() || (lineage{}).incarnation() != [16]byte{} {
		t.Errorf("incarnations %x, %x", a.incarnation(), b.incarnation())
	}
	if got, fence, ok := parseMetadata(b.String()); !ok || got != b || fence != nil {
		t.Errorf("%q reads as %+v", b, got)
	}
	var fences []int64
	for i := range int64(300) {
		fences = append(fences, 1e12+i*i*1e6)
	}
	long := b.metadata(fences)
	if got, back, ok := parseMetadata(long); !ok || got != b || !slices.Equal(back, fences[300-maxFences:]) || len(long) > 2000 {
		t.Errorf("%d bytes read as %+v, %d", len(long), got, back)
	}
	for i := range fences {
		fences[i] = math.MaxInt64 / 300 * int64(i+1)
	}
	long = lineage{a.topic, math.MaxUint64}.metadata(fences)
	if _, back, ok := parseMetadata(long); !ok || !slices.Equal(back, fences[300-maxFences:]) || len(long) > 4096 {
		t.Errorf("%d bytes in the worst case, %d fences read back", len(long), len(back))
	}
	for _, s := range []string{"", "driftd1", b.String() + " !", b.String() + " 1 2", b.String() + " 5,0", b.String() + " 5,-1", b.String() + " ,", b.String() + " 1y2p0ij32e8e7,1y2p0ij32e8e7", "driftd1 00 1", "driftd1 " + a.String()[8:40] + " x", "driftd2" + a.String()[7:]} {
		if _, _, ok := parseMetadata(s); ok {
			t.Errorf("%q is taken for our metadata", s)
		}
	}
}
