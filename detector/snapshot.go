package detector

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/windows"
)

// errState is the error for an engine's state that cannot be read.
var errState = errors.New("bad detector state")

// Version 2 had no lives of rules and no days.
const (
	snapshotVersion  = 3
	snapshotReadable = 2
)

// snapshot appends the engine's state:
//
//	version 1 byte · heads of rules, as JSON, each once · alerts · steps · memory of the rules · axes · lives of the rules · day
//
// The same state always gives the same bytes.
func (e *engine) snapshot(dst []byte) ([]byte, error) {
	alerts := slices.Collect(maps.Values(e.alerts))
	alerts = append(alerts, e.lost...)
	slices.SortFunc(alerts, func(a, b *alert) int { return bytes.Compare(a.id[:], b.id[:]) })
	dst = append(dst, snapshotVersion)

	heads := make(map[*Record]int)
	var raw [][]byte
	for _, a := range alerts {
		if _, ok := heads[a.head]; ok {
			continue
		}
		heads[a.head] = len(raw)
		b, err := json.Marshal(headState{Head: a.head, By: a.by})
		if err != nil {
			return nil, fmt.Errorf("save rule %s of group %s: %w", a.head.Rule, a.head.Group, err)
		}
		raw = append(raw, b)
	}
	dst = binary.AppendUvarint(dst, uint64(len(raw)))
	dst = windows.AppendKey(dst, raw...)

	dst = binary.AppendUvarint(dst, uint64(len(alerts)))
	for _, a := range alerts {
		dst = append(dst, a.id[:]...)
		dst = binary.AppendUvarint(dst, uint64(heads[a.head]))
		dst = windows.AppendKey(dst, a.prompt, a.version)
		dst = binary.AppendUvarint(dst, uint64(len(a.cohort)))
		dst = windows.AppendKey(dst, a.cohort...)
		dst = append(dst, byte(a.phase), byte(a.side))
		dst = appendTime(dst, a.onset)
		dst = appendTime(dst, a.clear)
		dst = binary.AppendUvarint(dst, uint64(a.last.samples))
		for _, v := range []float64{a.last.value, a.last.reference, a.last.bound, a.last.low, a.last.high} {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
		}
		dst = windows.AppendKey(dst, a.last.against)
		dst = appendTime(dst, a.last.sealed)
		dst = binary.AppendUvarint(dst, uint64(a.last.learned))
		dst = appendBool(dst, a.last.changed != nil)
		if c := a.last.changed; c != nil {
			dst = c.save(dst)
		}
	}

	dst = e.steps.save(dst)

	memory := e.memory()
	dst = binary.AppendUvarint(dst, uint64(len(memory)))
	for _, key := range slices.Sorted(maps.Keys(memory)) {
		dst = windows.AppendKey(dst, []byte(key), memory[key])
	}
	return e.days.save(e.lives.save(e.axes.save(dst))), nil
}

// headState is what alerts of one rule share.
type headState struct {
	Head *Record
	By   []string
}

// restore is the inverse of snapshot: it gives the engine the state and binds the rules it has to the store's views.
func (e *engine) restore(src []byte) error {
	if len(src) == 0 || src[0] < snapshotReadable || src[0] > snapshotVersion {
		return fmt.Errorf("%w: not of version %d to %d", errState, snapshotReadable, snapshotVersion)
	}
	r := reader{rest: src[1:]}
	heads := make([]headState, r.count())
	for i := range heads {
		if err := json.Unmarshal(r.bytes(), &heads[i]); err != nil || heads[i].Head == nil {
			return fmt.Errorf("%w: head of a rule: %w", errState, err)
		}
	}
	e.alerts, e.lost = make(map[ID]*alert), nil
	for range r.count() {
		a := &alert{}
		a.id = ID(r.fixed(16))
		h := r.uvarint()
		a.prompt, a.version = r.text(), r.text()
		a.cohort = make([]string, r.count())
		for i := range a.cohort {
			a.cohort[i] = r.text()
		}
		if len(a.cohort) == 0 {
			a.cohort = nil
		}
		a.phase, a.side = phase(r.fixed(1)[0]), side(r.fixed(1)[0])
		a.onset, a.clear = r.time(), r.time()
		a.last.samples = int64(r.uvarint())
		for _, v := range []*float64{&a.last.value, &a.last.reference, &a.last.bound, &a.last.low, &a.last.high} {
			*v = math.Float64frombits(r.fixed64())
		}
		a.last.against = r.text()
		a.last.sealed = r.time()
		a.last.learned = int64(r.uvarint())
		if r.bool() {
			a.last.changed = new(Changed)
			a.last.changed.load(&r)
		}
		if r.bad || h >= uint64(len(heads)) || len(a.cohort) > len(heads[h].By) || a.phase > firing || a.side > over {
			return fmt.Errorf("%w: alert", errState)
		}
		a.head, a.by = heads[h].Head, heads[h].By
		e.alerts[a.id] = a
	}
	e.steps.load(&r)
	memory := make(map[string][]byte)
	for range r.count() {
		key := r.text()
		memory[key] = r.bytes()
	}
	e.axes.load(&r)
	if src[0] > 2 {
		e.lives.load(&r)
		e.days.load(&r)
	}
	if r.bad || len(r.rest) > 0 {
		return fmt.Errorf("%w: cut short or too long", errState)
	}
	return e.resume(memory)
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(dst, 0)
	}
	return binary.AppendVarint(dst, t.UnixNano())
}

// reader walks a byte string; a bad read sets bad and yields zeros, so that one check at the end is enough.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count is a number of things that take a byte each at least.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return 0
	}
	return int(n)
}

var zeros [16]byte

func (r *reader) fixed(n int) []byte {
	if n > len(r.rest) {
		r.bad, r.rest = true, nil
		return zeros[:n]
	}
	p := r.rest[:n:n]
	r.rest = r.rest[n:]
	return p
}

func (r *reader) fixed64() uint64 { return binary.LittleEndian.Uint64(r.fixed(8)) }

func (r *reader) bytes() []byte { return r.fixed(r.count()) }

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) time() time.Time {
	ns := r.varint()
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
