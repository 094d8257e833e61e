package consumer_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

func dedupWorld(t *testing.T, horizon time.Duration) *linkWorld {
	w := newLinkWorld(t, usualLinking)
	w.cores["spans"] = linkCore(t, "spans", consumer.NewLinker(usualLinking, "spans"), consumer.CoreConfig{Dedup: horizon})
	return w
}

func TestDedup(t *testing.T) {
	for name, tc := range map[string]struct {
		lines, out string
		dropped    uint64
	}{
		"a call":                                {"call t1 s1 @5 prompt=p version=v1\ncall t1 s1 @5 prompt=p version=v1", "call p/v1//", 1},
		"whatever it says":                      {"call t1 s1 @5 prompt=p version=v1\ncall t1 s1 @6 prompt=q version=v1", "call p/v1//", 1},
		"another span":                          {"call t1 s1 @5 prompt=p version=v1\ncall t1 s2 @5 prompt=p version=v1", "call p/v1//\ncall p/v1//", 0},
		"another trace":                         {"call t1 s1 @5 prompt=p version=v1\ncall t2 s1 @5 prompt=p version=v1", "call p/v1//\ncall p/v1//", 0},
		"without ids":                           {"call @5 prompt=p version=v1\ncall @5 prompt=p version=v1", "call p/v1//\ncall p/v1//", 0},
		"with half of an id":                    {"call t1 @5 prompt=p version=v1\ncall t1 @5 prompt=p version=v1", "call p/v1//\ncall p/v1//", 0},
		"a score":                               {"score t1 s1 @5 prompt=p version=v1\nscore t1 s1 @5 prompt=p version=v1", "score p/v1//", 1},
		"of another time":                       {"score t1 s1 @5 prompt=p version=v1\nscore t1 s1 @5.1 prompt=p version=v1", "score p/v1//\nscore p/v1//", 0},
		"on another rubric":                     {"score t1 s1 @5 prompt=p version=v1\nscore t1 s1 @5 prompt=p version=v1 rubric=other", "score p/v1//\nscore p/v1//", 0},
		"a score is no span":                    {"call t1 s1 @5 prompt=p version=v1\nscore t1 s1 @5 prompt=p version=v1", "call p/v1//\nscore p/v1//", 0},
		"a span before":                         {"span t1 s1 @5 prompt=p version=v1\ncall t1 s1 @5 prompt=p version=v1", "call p/v1//", 0},
		"what waits":                            {"call t1 s2<s1 @5\ncall t1 s2<s1 @5\nspan t1 s1 @6 prompt=p version=v1", "call p/v1//", 1},
		"and its score":                         {"call t1 s2<s1 @5\ncall t1 s2<s1 @5\nspan t1 s1 @6 prompt=p version=v1\nscore t1 s2 @9\nscore t1 s2 @9", "call p/v1//\nscore p/v1//", 2},
		"a score of it later":                   {"call t1 s1 @5 prompt=p version=v1\ncall t1 s1 @5 prompt=p version=v1\ncall t2 s1 @50 prompt=q version=v1\nscore t1 s1 @40", "call p/v1//\ncall q/v1//\nscore p/v1//", 1},
		"inside the horizon":                    {"call t1 s1 @5 prompt=p version=v1\ncall t2 s1 @65 prompt=q version=v1\ncall t2 s2 @65.9 prompt=q version=v1\ncall t1 s1 @5 prompt=p version=v1", "call p/v1//\ncall q/v1//\ncall q/v1//", 1},
		"behind the horizon":                    {"call t1 s1 @5 prompt=p version=v1\ncall t2 s1 @66 prompt=q version=v1\ncall t2 s2 @66 prompt=q version=v1\ncall t1 s1 @5 prompt=p version=v1", "call p/v1//\ncall q/v1//\ncall q/v1//\ncall p/v1//", 0},
		"one record's time alone moves nothing": {"call t1 s1 @5 prompt=p version=v1\ncall t2 s1 @300 prompt=q version=v1\ncall t1 s1 @5 prompt=p version=v1", "call p/v1//\ncall q/v1//", 1},
		"the last of its kind is remembered": {
			"call t1 s1 @5 prompt=p version=v1\ncall t1 s1 @50 prompt=p version=v1\ncall t2 s1 @100 prompt=q version=v1\ncall t2 s2 @100 prompt=q version=v1\ncall t1 s1 @50 prompt=p version=v1",
			"call p/v1//\ncall q/v1//\ncall q/v1//", 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := dedupWorld(t, time.Minute)
			w.read("spans", strings.Split(tc.lines, "\n")...)
			dropped := w.cores["spans"].Duplicates()
			w.tend(time.Minute)
			if w.take(); strings.Join(w.out, "\n") != tc.out {
				t.Errorf("samples %q, want %q", w.out, tc.out)
			}
			if dropped != tc.dropped {
				t.Errorf("%d dropped, want %d", dropped, tc.dropped)
			}
		})
	}
}

// A record that is refused, or whose events are, leaves nothing behind.
func TestDedupForgetsWhatWasRefused(t *testing.T) {
	whole := linkEvent("call t1 s1 @5 prompt=p version=v1")
	for name, refused := range map[string][]byte{
		"record": append(slices.Clone(whole), '!'),
		"event":  bytes.Replace(whole, []byte(`"prompt"`), []byte(`"latency":-1,"prompt"`), 1),
		"future": linkEvent("call t1 s1 @3905 prompt=p version=v1"),
	} {
		w := dedupWorld(t, time.Hour)
		core := w.cores["spans"]
		core.Add(0, refused, w.now)
		core.Add(1, whole, w.now)
		core.Add(2, refused, w.now)
		core.Add(3, whole, w.now)
		if n := core.Duplicates(); n != 1 {
			t.Errorf("%s: %d dropped, want 1", name, n)
		}
		if w.take(); fmt.Sprint(w.out) != "[call p/v1//]" || len(w.dead) != 2 {
			t.Errorf("%s: samples %q, dead letters %q", name, w.out, w.dead)
		}
	}
}

// Of the scores of one event those go that came before; two on one rubric stay the mistake that they are.
func TestDedupTakesSingleScores(t *testing.T) {
	w := dedupWorld(t, time.Minute)
	add := func(scores string) {
		at := w.next["spans"]
		w.cores["spans"].Add(at, fmt.Appendf(nil, `{"type":"score","time":%d,"trace_id":%q,"span_id":%q,"prompt":"p","version":"v1","scores":%s}`,
			linkStart, hexID("t1", 16), hexID("s1", 8), scores), w.now)
		w.next["spans"]++
	}
	add(`{"a":1,"b":0.5}`)
	add(`{"b":0.5,"c":0.25,"a":1}`)
	add(`{"c":0.25}`)
	if n := w.cores["spans"].Duplicates(); n != 3 {
		t.Errorf("%d dropped, want 3", n)
	}
	waves, dead, _ := w.cores["spans"].Cut(w.now, true)
	var b windows.Batch
	if err := b.Decode(waves[0][0].Value); err != nil || len(dead) > 0 {
		t.Fatal(err, dead)
	}
	if b.Len() != 2 || len(b.Shapes) != 2 {
		t.Errorf("%d samples of %d shapes, want 2 and 2", b.Len(), len(b.Shapes))
	}
}
