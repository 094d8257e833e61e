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

// superseded is how long a version must have been silent before what others are compared with is frozen: from then on the
// trailing day holds less and less of its last day of data.
const superseded = 15 * time.Minute

// reference finds what the groups of a view are compared with: their own last day, or the same cohort of the version before,
// of the version that the rule names, or of a variant. The zero kind compares with nothing.
type reference struct {
	rule  *rule
	kind  rules.AgainstKind
	store *windows.Store
	stat  func(*windows.Group) float64

	view, day *windows.View
	seen      [2]stamp
	groups    []compared // one for each of view's groups
	versions  []*predecessor
	frozen    map[string]*frozen // by group and previous version
}

// compared is a group with its counterpart.
type compared struct {
	day  *windows.Group // nil: none yet
	pred *predecessor   // nil for a group's own last day
	was  *frozen        // nil while the version before is live
}

// predecessor is the version that came before another, or that it is compared with.
type predecessor struct {
	prompt, version string
	name            string // "" while unknown, and for the version that the others are compared with
	live            bool   // it had data a while ago
}

// frozen is the last day of a version that has come to its end.
type frozen struct {
	key     string
	value   float64
	samples int64
}

// figure is what a group is compared with.
type figure struct {
	value   float64
	samples int64
	version string
}

// stamp changes whenever groups are added to a view or dropped: new ones go to the end.
type stamp struct {
	n    int
	last *windows.Group
}

func stampOf(v *windows.View) stamp {
	groups := v.Groups()
	if len(groups) == 0 {
		return stamp{}
	}
	return stamp{len(groups), groups[len(groups)-1]}
}

func (f *reference) bind(view, day *windows.View) {
	f.view, f.day, f.seen = view, day, [2]stamp{}
	f.groups, f.versions = nil, nil
}

// tick looks up who is compared with whom, where that has changed.
func (f *reference) tick(now time.Time) {
	if f.kind == rules.AgainstNone {
		return
	}
	stale := false
	for _, p := range f.versions {
		name := f.before(p)
		stale = stale || name != p.name
		p.note(f.store, name, now)
	}
	if seen := [2]stamp{stampOf(f.view), stampOf(f.day)}; seen != f.seen || stale {
		f.seen = seen
		f.pair(now)
	}
	if len(f.versions) == 0 {
		return
	}
	for i := range f.groups {
		c := &f.groups[i]
		switch {
		case c.pred.live && c.was != nil:
			delete(f.frozen, c.was.key)
			c.was = nil
		case !c.pred.live && c.was == nil && c.day != nil && c.day.Count() > 0:
			c.was = &frozen{key: f.key(f.view.Groups()[i], c), value: f.stat(c.day), samples: c.day.Count()}
			f.frozen[c.was.key] = c.was
		}
	}
}

// before is the version that another is compared with, "" for none.
func (f *reference) before(p *predecessor) string {
	switch name := f.rule.Against().Name; {
	case f.kind == rules.AgainstPreviousVersion:
		return f.store.Previous(p.prompt, p.version)
	case name != p.version:
		return name
	}
	return ""
}

func (p *predecessor) note(s *windows.Store, name string, now time.Time) {
	p.name, p.live = name, false
	if name != "" {
		p.live = now.Sub(s.Sealed(p.prompt, name)) < superseded
	}
}

// pair finds each group's counterpart anew.
func (f *reference) pair(now time.Time) {
	groups := f.view.Groups()
	f.groups = slices.Grow(f.groups[:0], len(groups))
	f.versions = f.versions[:0]
	preds := make(map[[2]string]*predecessor)
	kept := make(map[string]*frozen)
	for _, g := range groups {
		var c compared
		version := g.Version
		cohort := g.Cohort
		switch f.kind {
		case rules.AgainstVariant:
			version, cohort = "", f.rule.opposite(g.Cohort)
		case rules.AgainstPreviousVersion, rules.AgainstVersion:
			at := [2]string{g.Prompt, g.Version}
			if c.pred = preds[at]; c.pred == nil {
				c.pred = &predecessor{prompt: g.Prompt, version: g.Version}
				c.pred.note(f.store, f.before(c.pred), now)
				preds[at] = c.pred
				f.versions = append(f.versions, c.pred)
			}
			version = c.pred.name
			if len(f.frozen) > 0 {
				if c.was = f.frozen[f.key(g, &c)]; c.was != nil {
					kept[c.was.key] = c.was
				}
			}
		}
		if version != "" || c.pred == nil {
			c.day = f.day.Find(g.Prompt, version, cohort)
		}
		f.groups = append(f.groups, c)
	}
	f.frozen = kept
}

func (f *reference) key(g *windows.Group, c *compared) string {
	return string(windows.AppendKey(windows.AppendKey(nil, g.Prompt, g.Version, c.pred.name), g.Cohort...))
}

// of is what the i-th group of the view is compared with at this tick.
func (f *reference) of(i int) figure {
	c := &f.groups[i]
	var out figure
	if c.pred != nil {
		out.version = c.pred.name
	}
	if c.was != nil {
		out.value, out.samples = c.was.value, c.was.samples
		return out
	}
	if c.day != nil {
		if out.samples = c.day.Count(); out.samples > 0 {
			out.value = f.stat(c.day)
		}
	}
	return out
}

// save appends what is frozen, in the order of keys.
func (f *reference) save(dst []byte) []byte {
	for _, key := range slices.Sorted(maps.Keys(f.frozen)) {
		was := f.frozen[key]
		dst = windows.AppendKey(dst, key)
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(was.value))
		dst = binary.AppendUvarint(dst, uint64(was.samples))
	}
	return dst
}

func (f *reference) load(src []byte) error {
	f.frozen = make(map[string]*frozen)
	r := reader{rest: src}
	for len(r.rest) > 0 {
		was := &frozen{key: r.text(), value: math.Float64frombits(r.fixed64()), samples: int64(r.uvarint())}
		if r.bad {
			return errState
		}
		f.frozen[was.key] = was
	}
	return nil
}
