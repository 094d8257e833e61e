package windows

import (
	"fmt"
	"testing"
	"time"
)

// axesFeed folds calls with axes into a store.
type axesFeed struct {
	*Store
	enc *Encoder
	n   int64
}

// minute folds calls of a minute, one of each prompt with each key of axes, and seals it.
func (f *axesFeed) minute(t *testing.T, m int64, prompts []string, keys ...[]byte) {
	t.Helper()
	for _, p := range prompts {
		for _, k := range keys {
			f.enc.Add(&Sample{Position: Position{Offset: f.n}, Time: m * minuteNanos, Cell: AppendKey(nil, p, "v", "", ""), Axes: k, Mask: MaskCall})
			f.n++
		}
	}
	advance(t, f.Store, f.enc.AppendBatch(nil, &Header{Clock: m * minuteNanos, Watermark: (m + 1) * minuteNanos, Dimensions: testDimensions}))
	f.enc.Reset()
}

func axesKeys(from, to int) (keys [][]byte) {
	for i := from; i < to; i++ {
		keys = append(keys, AppendKey(nil, fmt.Sprint("hash", i), "model", "", ""))
	}
	return keys
}

// Who hashes the wrong text takes the room of others neither in the store nor for long, and its calls are all counted.
func TestAxesWithoutEnd(t *testing.T) {
	f := &axesFeed{Store: NewStore(Options{Dimensions: testDimensions}), enc: NewEncoder()}
	spec := []ViewSpec{{Metric: Volume, Window: time.Hour, Axes: true}}
	v := f.SetViews(spec)[0]
	m := bombStart/quarterMinutes*quarterMinutes + 1
	count := func(prompt string) (told, other int64) {
		t.Helper()
		for _, a := range v.Find(prompt, "v", nil).PaneAxes() {
			if a.TemplateHash == Other && a.Model == Other && a.Variant == Other && a.Environment == Other {
				other = a.Calls
			} else {
				told += a.Calls
			}
		}
		return told, other
	}
	expect := func(what, prompt string, told, other int64) {
		t.Helper()
		if a, b := count(prompt); a != told || b != other {
			t.Errorf("%s: %d calls with axes and %d with others, want %d and %d", what, a, b, told, other)
		}
	}
	f.minute(t, m, []string{"bomb"}, axesKeys(0, 100)...)
	expect("more than a pane has room for", "bomb", maxPaneAxes, 100-maxPaneAxes)
	for i := 100; i < maxPromptAxes; i += 52 {
		m++
		f.minute(t, m, []string{"bomb"}, axesKeys(i, i+52)...)
		expect("what a prompt may bring", "bomb", 52, 0)
	}
	m++
	f.minute(t, m, []string{"other"}, axesKeys(1000, 1001)...)
	expect("another prompt", "other", 1, 0)
	f.Store = restarted(t, f.Store)
	v = f.SetViews(spec)[0]
	m++
	f.minute(t, m, []string{"other"}, axesKeys(0, 60)...)
	expect("what the bomb brought", "other", 60, 0)
	// What neither the last minute nor an open one has makes room.
	m++
	f.minute(t, m, []string{"bomb"}, axesKeys(2000, 2060)...)
	expect("new ones, when the old ones were just in use", "bomb", 60, 0)
	m++
	f.minute(t, m, []string{"bomb"}, axesKeys(0, 60)...)
	expect("the old ones, which came back", "bomb", 60, 0)
	if n := len(f.axes.ids); n > maxPromptAxes+1 {
		t.Errorf("%d axes are remembered", n)
	}
	for m%quarterMinutes != 0 {
		m++
		f.minute(t, m, []string{"other"}, axesKeys(1000, 1001)...)
	}
	m++
	f.minute(t, m, nil)
	if len(v.Fresh()) != 0 || len(f.axes.brought) != 1 || len(f.axes.ids) != 1 || len(f.axes.free) != len(f.axes.terms)-3 {
		t.Errorf("%d groups fresh, axes of %v, %d of %d numbers free", len(v.Fresh()), f.axes.brought, len(f.axes.free), len(f.axes.terms))
	}

	var prompts []string
	for i := range 80 {
		prompts = append(prompts, fmt.Sprint("p", i))
	}
	for i, p := range prompts {
		f.minute(t, m, []string{p}) // no call
		for j := range 4 {
			f.fill(t, m+1, p, axesKeys(10_000*i+60*j, 10_000*i+60*j+60))
		}
	}
	f.minute(t, m+1, nil)
	if n := len(f.axes.ids); n != maxAxes {
		t.Errorf("%d axes in the store, want %d", n, maxAxes)
	}
	expect("the first prompt's", "p0", maxPaneAxes, 240-maxPaneAxes)
	expect("the last prompt's", "p79", 0, 240)
}

// fill folds calls and seals nothing.
func (f *axesFeed) fill(t *testing.T, m int64, prompt string, keys [][]byte) {
	t.Helper()
	for _, k := range keys {
		f.enc.Add(&Sample{Position: Position{Offset: f.n}, Time: m * minuteNanos, Cell: AppendKey(nil, prompt, "v", "", ""), Axes: k, Mask: MaskCall})
		f.n++
	}
	fold(t, f.Store, f.enc.AppendBatch(nil, &Header{Clock: m * minuteNanos, Watermark: m * minuteNanos, Dimensions: testDimensions}))
	f.enc.Reset()
}

// What is no key of four parts is counted as other, and calls of before a view wants to know of axes are not counted.
func TestAxesThatAreNone(t *testing.T) {
	f := &axesFeed{Store: NewStore(Options{Dimensions: testDimensions}), enc: NewEncoder()}
	m := int64(bombStart)
	f.SetViews([]ViewSpec{{Metric: Volume, Window: time.Hour}})
	f.fill(t, m, "p", axesKeys(0, 5))
	if len(f.axes.ids) != 0 {
		t.Errorf("%d axes of no interest are remembered", len(f.axes.ids))
	}
	v := f.SetViews([]ViewSpec{{Metric: Volume, Window: time.Hour, Axes: true}})[0]
	f.minute(t, m, []string{"p"}, nil, []byte{0}, []byte{200}, AppendKey(nil, "a", "b", "c", "d", "e"), AppendKey(nil, "h", "m"), make([]byte, maxAxesKey+1))
	want := []AxisCount{
		{Calls: 2},
		{Axes: Axes{Other, Other, Other, Other}, Calls: 3},
		{Axes: Axes{TemplateHash: "h", Model: "m"}, Calls: 1},
	}
	if got := fmt.Sprint(v.Groups()[0].PaneAxes()); got != fmt.Sprint(want) {
		t.Errorf("axes %v, want %v", got, want)
	}
}
