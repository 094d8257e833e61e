package consumer

import (
	"testing"

	"github.com/driftd/driftd/windows"
)

func TestLineKeepsEventsAndOrder(t *testing.T) {
	full := Event{
		Kind: Score, Call: true, Time: 5, Trace: [16]byte{1}, Span: [8]byte{2}, Parent: [8]byte{3},
		Prompt: []byte("p"), Version: []byte("v"), Dimensions: [][]byte{[]byte("gold"), {}}, TemplateHash: []byte("h"), Model: []byte("m"),
		Variant: []byte("a"), Environment: []byte("e"), Response: []byte("r"),
		Scores: []ScoreValue{{Rubric: []byte("x"), Value: 0.5, HasValue: true}, {Rubric: []byte("y"), Label: []byte("pass")}},
	}
	full.Set(windows.BuiltinCost, 1.5)
	full.Set(windows.BuiltinError, 0)
	empty := Event{Dimensions: [][]byte{{}, {}}}
	var l line
	got := Event{Dimensions: make([][]byte, 2)}
	next := int64(0)
	for i := range int64(1000) {
		e := &full
		if i%3 == 0 {
			e = &empty
		}
		l.push(waiting{pos: windows.Position{Offset: i}}, e)
		if i%5 == 4 { // a record that is no good after all
			l.push(waiting{pos: windows.Position{Offset: -1}}, &full)
			l.push(waiting{pos: windows.Position{Offset: -1}}, &empty)
			l.cut(l.len() - 2)
		}
		if i%2 == 0 {
			continue
		}
		if w := l.pop(&got); w.pos.Offset != next {
			t.Fatalf("event %d instead of %d", w.pos.Offset, next)
		}
		want := full
		if next%3 == 0 {
			want = empty
		}
		if string(packEvent(nil, &got)) != string(packEvent(nil, &want)) {
			t.Fatalf("event %d is %+v, was %+v", next, got, want)
		}
		next++
		l.tidy()
	}
	for !l.empty() {
		l.pop(&got)
	}
	if l.tidy(); l.bytes() != 0 || l.len() != 0 || cap(l.buf) == 0 {
		t.Errorf("an empty line of %d bytes, %d events", l.bytes(), l.len())
	}
	l.push(waiting{}, &full)
	l.pop(&got)
	if got.Scores[0].Value != 0.5 || string(got.Scores[1].Label) != "pass" || string(got.Response) != "r" || got.Kind != Score {
		t.Errorf("%+v", got)
	}
}
