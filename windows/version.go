package windows

import (
	"maps"
	"slices"
	"time"
)

// prompt is what the store knows of a prompt beyond its cells.
type prompt struct {
	name     string
	versions map[string]*version
	cohorts  map[string]int // cells of each tuple of dimension values
	cells    []*cell        // by id
}

// version is what the store remembers of a prompt's version.
type version struct {
	name        string
	first, last int64  // event time, Unix ns
	sealed      int64  // end of its last sealed minute, since the epoch
	previous    string // the version that held most of the prompt's traffic when this one came
	cells       int
	prompt      *prompt

	// newcomer says that its first minute is not sealed yet. Only then it is known what the prompt's traffic was before: samples
	// of the minutes up to it may have come in the same batch, as they do when a backlog is worked off.
	newcomer bool
}

// welcome finds out which version held the traffic before the newcomers whose first minute is m. Those whose first minute was
// before it came late, and what they followed may have come as late: they are asked about when the late panes have joined.
func (s *Store) welcome(m int64, late bool) {
	s.newcomers = slices.DeleteFunc(s.newcomers, func(v *version) bool {
		first := v.first / minuteNanos
		v.newcomer = first > m || first < m && !late
		if !v.newcomer {
			v.previous = s.holder(v)
		}
		return !v.newcomer
	})
}

// holder is the version other than next with most of its prompt's calls in those sealed panes of the last hour that began before
// next's first minute, else in those of the last day; "" when there were none. Of equals the one seen last, then the greater name.
func (s *Store) holder(next *version) string {
	first := next.first / minuteNanos
	calls := make(map[*version]int64)
	for _, c := range next.prompt.cells {
		for i, at := range c.minute {
			if at > 0 && c.ver != next && s.minutes[i].at < first {
				calls[c.ver] += readBlob(s.minutes[i].blob(at)).calls
			}
		}
	}
	if len(calls) == 0 {
		for _, c := range next.prompt.cells {
			for i, at := range c.quarter {
				if at > 0 && c.ver != next && s.quarters[i].at < first {
					calls[c.ver] += readBlob(s.quarters[i].blob(at)).calls
				}
			}
		}
	}
	var best *version
	for v, n := range calls {
		if best == nil || n > calls[best] ||
			n == calls[best] && (v.sealed > best.sealed || v.sealed == best.sealed && v.name > best.name) {
			best = v
		}
	}
	if best == nil || best.name == Other {
		return ""
	}
	return best.name
}

// Previous is the version that held most of the prompt's traffic before the minute of this one's first sample; "" when that is
// not known, and until that minute is sealed.
func (s *Store) Previous(prompt, version string) string {
	if p := s.prompts[prompt]; p != nil && p.versions[version] != nil {
		return p.versions[version].previous
	}
	return ""
}

// Span is the event time of the first and the last sample of a version; zero times when it is not known.
func (s *Store) Span(prompt, version string) (first, last time.Time) {
	p := s.prompts[prompt]
	if p == nil || p.versions[version] == nil {
		return first, last
	}
	v := p.versions[version]
	return time.Unix(0, v.first).UTC(), time.Unix(0, v.last).UTC()
}

// Sealed is the end of the last sealed minute in which the version had samples: unlike Span a matter of event time alone, also
// while a backlog is read. Zero when there is none.
func (s *Store) Sealed(prompt, version string) time.Time {
	p := s.prompts[prompt]
	if p == nil || p.versions[version] == nil || p.versions[version].sealed == 0 {
		return time.Time{}
	}
	return time.Unix(60*p.versions[version].sealed, 0).UTC()
}

// Live are the versions of a prompt with samples in minutes that were sealed after since, sorted; those of calls without a version
// and beyond the limit are not among them.
func (s *Store) Live(prompt string, since time.Time) (names []string) {
	p := s.prompts[prompt]
	if p == nil {
		return nil
	}
	for name, v := range p.versions {
		if name != "" && name != Other && v.sealed*minuteNanos > since.UnixNano() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// VersionNames are all versions of a prompt that the store knows, sorted; "" of calls without one and Other among them.
func (s *Store) VersionNames(prompt string) []string {
	if p := s.prompts[prompt]; p != nil {
		return slices.Sorted(maps.Keys(p.versions))
	}
	return nil
}
