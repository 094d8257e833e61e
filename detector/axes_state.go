package detector

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/windows"
)

// save appends what is known:
//
//	number of axes · now · versions: prompt, version, born, seen, axes, fallback, changes · prompts: name, race
//
// The same state always gives the same bytes.
func (t *axes) save(dst []byte) []byte {
	dst = appendMinute(binary.AppendUvarint(dst, uint64(len(valued))), t.now)
	dst = binary.AppendUvarint(dst, uint64(len(t.versions)))
	for _, key := range slices.SortedFunc(maps.Keys(t.versions), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		v := t.versions[key]
		dst = windows.AppendKey(dst, key[:]...)
		dst = appendMinute(appendMinute(dst, v.born), v.seen)
		for i := range v.axes {
			dst = v.axes[i].save(dst)
		}
		dst = v.fallback.save(dst)
		dst = binary.AppendUvarint(dst, uint64(len(v.changed)))
		for _, c := range v.changed {
			dst = appendMinute(c.Changed.save(dst), c.confirmed)
			dst = binary.AppendUvarint(dst, uint64(c.calls))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.prompts)))
	for _, prompt := range slices.Sorted(maps.Keys(t.prompts)) {
		dst = t.prompts[prompt].save(windows.AppendKey(dst, prompt))
	}
	return dst
}

// load is the inverse of save.
func (t *axes) load(r *reader) {
	t.versions, t.prompts = make(map[[2]string]*traced), make(map[string]*race)
	if r.uvarint() != uint64(len(valued)) {
		r.bad = true
		return
	}
	t.now = r.minute()
	for range r.count() {
		v := &traced{prompt: r.text(), version: r.text(), axes: make([]axis, len(valued))}
		v.born, v.seen = r.minute(), r.minute()
		for i := range v.axes {
			v.axes[i].load(r)
		}
		v.fallback.load(r)
		for range r.count() {
			c := changed{prompt: v.prompt, version: v.version}
			c.Changed.load(r)
			c.confirmed, c.calls = r.minute(), int64(r.uvarint())
			v.changed = append(v.changed, c)
		}
		t.versions[[2]string{v.prompt, v.version}] = v
	}
	for range r.count() {
		prompt, of := r.text(), &race{}
		of.load(r)
		t.prompts[prompt] = of
	}
}

func (c *Changed) save(dst []byte) []byte {
	return appendMinute(windows.AppendKey(dst, c.Axis, c.From, c.To), c.Time)
}

func (c *Changed) load(r *reader) {
	c.Axis, c.From, c.To, c.Time = r.text(), r.text(), r.text(), r.minute()
}

func (a *axis) save(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(a.calls))
	dst = appendMinute(appendMinute(dst, a.last), a.crowded)
	dst = binary.AppendUvarint(dst, uint64(len(a.values)))
	for _, v := range a.values {
		dst = windows.AppendKey(dst, v.name)
		for _, n := range []int64{v.calls, v.before, v.seenAt, v.n, v.m, v.hour, v.usual} {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
		for _, at := range []time.Time{v.seen, v.first, v.told} {
			dst = appendMinute(dst, at)
		}
		dst = appendBool(dst, v.confirmed)
	}
	return a.race.save(dst)
}

func (a *axis) load(r *reader) {
	a.calls, a.last, a.crowded = int64(r.uvarint()), r.minute(), r.minute()
	for range r.count() {
		v := &value{name: r.text()}
		for _, n := range []*int64{&v.calls, &v.before, &v.seenAt, &v.n, &v.m, &v.hour, &v.usual} {
			*n = int64(r.uvarint())
		}
		v.seen, v.first, v.told, v.confirmed = r.minute(), r.minute(), r.minute(), r.bool()
		a.values = append(a.values, v)
	}
	a.race.load(r)
}

func (r *rate) save(dst []byte) []byte {
	for _, n := range []int64{r.hits, r.calls, r.n, r.m} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return appendMinute(appendMinute(appendMinute(dst, r.last), r.seen), r.first)
}

func (r *rate) load(src *reader) {
	for _, n := range []*int64{&r.hits, &r.calls, &r.n, &r.m} {
		*n = int64(src.uvarint())
	}
	r.last, r.seen, r.first = src.minute(), src.minute(), src.minute()
}

func (r *race) save(dst []byte) []byte {
	dst = windows.AppendKey(appendBool(dst, r.begun), r.main)
	dst = binary.AppendUvarint(appendMinute(dst, r.since), uint64(r.calls))
	dst = binary.AppendUvarint(dst, uint64(len(r.runners)))
	for _, x := range r.runners {
		dst = windows.AppendKey(dst, x.name)
		for _, n := range []int64{x.calls, x.lead, x.of} {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
		dst = appendMinute(appendMinute(dst, x.first), x.held)
	}
	return dst
}

func (r *race) load(src *reader) {
	r.begun, r.main = src.bool(), src.text()
	r.since, r.calls = src.minute(), int64(src.uvarint())
	for range src.count() {
		x := runner{name: src.text(), calls: int64(src.uvarint()), lead: int64(src.uvarint()), of: int64(src.uvarint())}
		x.first, x.held = src.minute(), src.minute()
		r.runners = append(r.runners, x)
	}
	if !slices.IsSortedFunc(r.runners, func(a, b runner) int { return cmp.Compare(a.name, b.name) }) {
		src.bad = true
	}
}

// appendMinute appends a time that is the end of a minute, or zero.
func appendMinute(dst []byte, at time.Time) []byte {
	if at.IsZero() {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, uint64(at.Unix()/60))
}

func (r *reader) minute() time.Time {
	m := r.uvarint()
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(60*int64(m), 0).UTC()
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func (r *reader) bool() bool { return r.fixed(1)[0] != 0 }
