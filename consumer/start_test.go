package consumer

import (
	"reflect"
	"slices"
	"testing"
)

func TestResume(t *testing.T) {
	old, id := [16]byte{1}, [16]byte{2}
	meta := func(topic [16]byte, n uint64) string { return lineage{topic, n}.String() }
	for name, tc := range map[string]struct {
		topic       [16]byte
		committed   int64
		metadata    string
		first, next int64
		want        beginning
	}{
		"nothing committed":                {id, -1, "", 5, 90, beginning{lineage: lineage{topic: id}, offset: 5, fresh: true}},
		"goes on":                          {id, 40, meta(id, 3), 5, 90, beginning{lineage: lineage{id, 3}, offset: 40}},
		"flushed by the clock":             {id, 40, lineage{id, 3}.metadata([]int64{20, 50}), 5, 90, beginning{lineage: lineage{id, 3}, offset: 40, fences: []int64{20, 50}}},
		"at the end":                       {id, 90, meta(id, 0), 5, 90, beginning{lineage: lineage{topic: id}, offset: 90}},
		"rolled back by hand":              {id, 10, "", 5, 90, beginning{lineage: lineage{topic: id}, offset: 10}},
		"foreign metadata":                 {id, 10, "mirror maker", 5, 90, beginning{lineage: lineage{topic: id}, offset: 10}},
		"topic made again":                 {id, 40, meta(old, 2), 0, 90, beginning{lineage: lineage{topic: id}, offset: 0, reset: resetRecreated}},
		"topic made again and shorter":     {id, 400, meta(old, 0), 0, 90, beginning{lineage: lineage{topic: id}, offset: 0, reset: resetRecreated}},
		"retention passed it":              {id, 3, meta(id, 0), 5, 90, beginning{lineage: lineage{topic: id}, offset: 5, gap: 2}},
		"log cut back":                     {id, 100, meta(id, 0), 5, 90, beginning{lineage: lineage{id, 1}, offset: 90, reset: resetTruncated}},
		"committed beyond the end by hand": {id, 100, "", 5, 90, beginning{lineage: lineage{topic: id}, offset: 5, reset: resetTruncated}},
		"without ids":                      {[16]byte{}, 40, meta([16]byte{}, 2), 5, 90, beginning{lineage: lineage{counter: 2}, offset: 40}},
		"without ids, shorter":             {[16]byte{}, 100, meta([16]byte{}, 2), 5, 90, beginning{lineage: lineage{counter: 3}, offset: 5, reset: resetRecreated}},
		"brokers that learned ids":         {id, 40, meta([16]byte{}, 2), 5, 90, beginning{lineage: lineage{topic: id}, offset: 40}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.first = tc.first
			if got := resume(tc.topic, tc.committed, tc.metadata, tc.first, tc.next); !reflect.DeepEqual(got, tc.want) {
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
	for _, s := range []string{"", "driftd1", b.String() + " !", b.String() + " 1 2", b.String() + " 5,0", b.String() + " 5,-1", b.String() + " ,", b.String() + " 1y2p0ij32e8e7,1y2p0ij32e8e7", "driftd1 00 1", "driftd1 " + a.String()[8:40] + " x", "driftd2" + a.String()[7:]} {
		if _, _, ok := parseMetadata(s); ok {
			t.Errorf("%q is taken for our metadata", s)
		}
	}
}
