package detector

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// shape compares the distribution of a rolling window with that of a reference. It is advisory: it states no false alarms and
// never rolls back.
//
// Against 24h the reference is the group's own trailing day, as it is for a threshold: what has lasted for a day is what the
// group is like. Others are the same cohort of another version, of a variant over all versions, or of an environment, over its
// trailing day; when that has been silent for a while it is frozen as it was, until there is enough of it again. So a version
// that was replaced long ago, or an offline evaluation of last week, can still be compared with.
//
// Both sides must have min_samples values. A group that fires goes on with fewer for as long as it has any, as with a threshold.
//
// Reading a distribution merges what the window is made of, so that windows are not judged at each minute but each step: a
// twelfth of the window, at most five minutes.
type shape struct {
	*rule
	limits
	store *windows.Store
	step  int64 // minutes

	view, reference *windows.View
	pulse           *windows.View // of the reference's last minutes; nil where it is never frozen
	casts           map[string]*cast
	x, y            []windows.Bin // scratch
}

// cast is a reference that has come to its end.
type cast struct {
	at      time.Time
	samples int64
	points  []windows.Bin
}

// likeness is what a group is compared with.
type likeness struct {
	points  []windows.Bin
	samples int64
	name    string    // of the version; "" where it is none
	at      time.Time // when it was frozen; zero: it is not
}

func newShape(r *rule, s *windows.Store) *shape {
	r.head.Stat = string(r.Shape.Distance)
	step := min(max(r.Shape.Window/12, time.Minute), 5*time.Minute)
	return &shape{rule: r, limits: limits{above: limit{set: true, value: r.Shape.Above}}, store: s, step: int64(step / time.Minute)}
}

func (k *shape) views() []windows.ViewSpec {
	v := k.spec(k.Shape.Window)
	v.Quantiles = true
	reference := v
	switch k.Shape.Against.Kind {
	case rules.AgainstLast24h:
		reference.Window = day
		return []windows.ViewSpec{v, reference}
	case rules.AgainstPreviousVersion, rules.AgainstVersion:
		reference.Match = func(prompt, version string, dims []string) bool { return k.matches(prompt, version, dims, "version") }
	default:
		specs := k.compareSpecs(v)
		v, reference = specs[0], specs[1]
	}
	pulse := reference
	reference.Window = day
	pulse.Window, pulse.Quantiles = superseded, false
	return []windows.ViewSpec{v, reference, pulse}
}

func (k *shape) bind(views []*windows.View) {
	k.view, k.reference, k.pulse = views[0], views[1], nil
	if len(views) > 2 {
		k.pulse = views[2]
	}
	if k.casts == nil {
		k.casts = make(map[string]*cast)
	}
}

func (k *shape) adopt(a *alert) bool { return k.adoptInto(k.view, a) }

func (k *shape) tick(e *engine) {
	if e.now.Unix()/60%k.step != 0 {
		return
	}
	if e.now.Minute() == 0 {
		k.forget()
	}
	least := int64(max(k.MinSamples, 1))
	for _, g := range k.view.Groups() {
		a, _ := g.State.(*alert)
		n := g.Count()
		judged := n >= least || n > 0 && a != nil && a.phase == firing
		if !judged && a == nil && k.pulse == nil {
			continue
		}
		with := k.likeness(g, least, e.now, judged)
		switch {
		case !judged && a == nil:
		case !judged:
			v := verdict{samples: n, value: math.NaN(), reference: math.NaN(), bound: k.Shape.Above, against: a.last.against, reason: reasonNoData}
			if n > 0 {
				v.reason = reasonFewSamples
			}
			k.move(e, g, a, &v)
		case with.samples < least:
			if a != nil {
				v := verdict{samples: n, value: math.NaN(), reference: math.NaN(), bound: math.NaN(), reason: reasonNoReference}
				k.move(e, g, a, &v)
			}
		default:
			k.x = g.Distribution(k.x[:0])
			v := verdict{
				samples: n, value: distance(k.Shape.Distance, k.x, with.points), reference: math.NaN(), bound: k.Shape.Above,
				against: with.name, learned: with.samples, sealed: with.at,
			}
			if v.side, _ = k.judge(v.value, math.NaN(), neither); v.side != neither || a != nil {
				k.move(e, g, a, &v)
			}
		}
	}
}

// likeness finds what a group is compared with, and freezes it where that is due. Its points are good until the next call, and
// not there where they are not asked for.
func (k *shape) likeness(g *windows.Group, least int64, now time.Time, read bool) (l likeness) {
	version, cohort, ok := k.counterpart(g)
	if !ok {
		return l
	}
	switch k.Shape.Against.Kind {
	case rules.AgainstPreviousVersion, rules.AgainstVersion:
		l.name = version
	}
	live := k.reference.Find(g.Prompt, version, cohort)
	if live != nil {
		l.samples = live.Count()
	}
	if was := k.frozen(live, g.Prompt, version, cohort, least, now); was != nil {
		l.points, l.samples, l.at = was.points, was.samples, was.at
	} else if read && l.samples > 0 {
		k.y = live.Distribution(k.y[:0])
		l.points = k.y
	}
	return l
}

// counterpart names the group of the reference's view that a group is compared with; ok is false where there is none, or it is
// the group itself.
func (k *shape) counterpart(g *windows.Group) (version string, cohort []string, ok bool) {
	version, cohort = g.Version, k.opposite(g.Cohort)
	switch a := k.Shape.Against; a.Kind {
	case rules.AgainstPreviousVersion:
		version = k.store.Previous(g.Prompt, g.Version)
		return version, cohort, version != ""
	case rules.AgainstVersion:
		return a.Name, cohort, a.Name != g.Version
	case rules.AgainstVariant:
		version = ""
	}
	return version, cohort, true
}

// frozen is the cast of a reference that has been silent for a while; nil where it is live.
func (k *shape) frozen(live *windows.Group, prompt, version string, cohort []string, least int64, now time.Time) *cast {
	if k.pulse == nil {
		return nil
	}
	key := castKey(prompt, version, cohort)
	beat := k.pulse.Find(prompt, version, cohort)
	alive, was := beat != nil && beat.Count() > 0, k.casts[key]
	switch {
	case was != nil && alive && live != nil && live.Count() >= least:
		delete(k.casts, key)
		return nil
	case was == nil && !alive && live != nil && live.Count() > 0:
		was = &cast{at: now, samples: live.Count(), points: compact(live.Distribution(nil))}
		k.casts[key] = was
	}
	return was
}

func castKey(prompt, version string, cohort []string) string {
	return string(windows.AppendKey(windows.AppendKey(nil, prompt, version), cohort...))
}

// compact gives centroids the precision that they are saved with. Values stay what they are.
func compact(points []windows.Bin) []windows.Bin {
	for i := range points {
		if p := &points[i]; !p.Exact {
			p.Value, p.Count = float64(float32(p.Value)), float64(float32(p.Count))
		}
	}
	return slices.Clip(points)
}

// forget drops the frozen references that no group is compared with any more.
func (k *shape) forget() {
	if len(k.casts) == 0 {
		return
	}
	kept := make(map[string]*cast, len(k.casts))
	for _, g := range k.view.Groups() {
		if version, cohort, ok := k.counterpart(g); ok {
			if key := castKey(g.Prompt, version, cohort); k.casts[key] != nil {
				kept[key] = k.casts[key]
			}
		}
	}
	k.casts = kept
}

func (k *shape) move(e *engine, g *windows.Group, a *alert, v *verdict) {
	if next := e.step(k.rule, a, subject{g.Prompt, g.Version, g.Cohort}, v, nil); next != nil {
		g.State = next
	} else {
		g.State = nil // a nil *alert would keep the group
	}
}

// save appends the frozen references, in the order of keys: values with their counts, or centroids in half the precision.
func (k *shape) save(dst []byte) []byte {
	for _, key := range slices.Sorted(maps.Keys(k.casts)) {
		c := k.casts[key]
		dst = appendMinute(windows.AppendKey(dst, key), c.at)
		dst = binary.AppendUvarint(dst, uint64(c.samples))
		dst = binary.AppendUvarint(dst, uint64(len(c.points)))
		for _, p := range c.points {
			if dst = appendBool(dst, p.Exact); p.Exact {
				dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(p.Value))
				dst = binary.AppendUvarint(dst, uint64(p.Count))
				continue
			}
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(p.Value)))
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(p.Count)))
		}
	}
	return dst
}

func (k *shape) load(src []byte) error {
	k.casts = make(map[string]*cast)
	r := reader{rest: src}
	fixed32 := func() float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(r.fixed(4))))
	}
	for len(r.rest) > 0 {
		key := r.text()
		c := &cast{at: r.minute(), samples: int64(r.uvarint())}
		for range r.count() {
			if r.bool() {
				c.points = append(c.points, windows.Bin{Value: math.Float64frombits(r.fixed64()), Count: float64(r.uvarint()), Exact: true})
				continue
			}
			c.points = append(c.points, windows.Bin{Value: fixed32(), Count: fixed32()})
		}
		if r.bad {
			return errState
		}
		k.casts[key] = c
	}
	return nil
}
