package detector

import (
	"slices"
	"strings"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// compareSpecs are the views of a rule over v: one where the version that is compared with is seen as well, or a second one of
// the variant or environment that is compared with, which the first then leaves out.
func (r *rule) compareSpecs(v windows.ViewSpec) []windows.ViewSpec {
	a := r.Against()
	switch a.Kind {
	case rules.AgainstPreviousVersion, rules.AgainstVersion:
		v.Match = func(prompt, version string, dims []string) bool { return r.matches(prompt, version, dims, "version") }
	case rules.AgainstVariant, rules.AgainstEnvironment:
		d := a.Word()
		is := func(dims []string) bool {
			i := slices.Index(r.dims, d)
			return i >= 0 && i < len(dims) && dims[i] == a.Name
		}
		compared := v
		compared.Exemplars, compared.AllVersions = false, a.Kind == rules.AgainstVariant
		compared.Match = func(prompt, version string, dims []string) bool {
			except := []string{d}
			if compared.AllVersions {
				except = append(except, "version")
			}
			return is(dims) && r.matches(prompt, version, dims, except...)
		}
		v.Match = func(prompt, version string, dims []string) bool { return !is(dims) && r.match(prompt, version, dims) }
		return []windows.ViewSpec{v, compared}
	}
	return []windows.ViewSpec{v}
}

// matches is match, but for some of the group's patterns.
func (r *rule) matches(prompt, version string, dims []string, except ...string) bool {
	for d, pattern := range r.group.Match {
		value := ""
		switch i := slices.Index(r.dims, d); {
		case slices.Contains(except, d):
			continue
		case d == "prompt":
			value = prompt
		case d == "version":
			value = version
		case i >= 0 && i < len(dims):
			value = dims[i]
		}
		if !rules.Glob(pattern, value) {
			return false
		}
	}
	return true
}

// facing is the name of the cohort that a cohort is compared with.
func (r *rule) facing(cohort []string) string { return cohortKey(r.opposite(cohort)) }

// opposite is the cohort that a cohort is compared with: the same, but for the variant or environment where the rule slices by
// it.
func (r *rule) opposite(cohort []string) []string {
	a := r.Against()
	if a.Kind == rules.AgainstVariant || a.Kind == rules.AgainstEnvironment {
		if i := slices.Index(r.group.SliceBy, a.Word()); i >= 0 && i < len(cohort) {
			cohort = slices.Clone(cohort)
			cohort[i] = a.Name
		}
	}
	return cohort
}

// sourceOf is the series that s is compared with; nil while there is none.
func (k *sequential) sourceOf(s *series) *series {
	key := releaseKey{watchSide, s.prompt, s.version}
	switch a := k.Against(); a.Kind {
	case rules.AgainstPreviousVersion:
		key.version = s.release.predecessor(k.store, k.minute)
		if key.version == "" {
			s.source = nil
			return nil
		}
	case rules.AgainstVersion:
		key.version = a.Name
	case rules.AgainstVariant:
		key.side, key.version = compareSide, ""
	case rules.AgainstEnvironment:
		key.side = compareSide
	}
	if s.source == nil || s.source.gone || s.source.release.releaseKey != key {
		s.source = k.find(key, s.facing)
	}
	return s.source
}

// query selects the cells of a series, as far as the rule names values.
func (k *sequential) query(s *series) windows.Query {
	q := windows.Query{Prompt: s.prompt, Version: s.version, Cohort: make(map[string]string)}
	for d, pattern := range k.group.Match {
		if d != "prompt" && d != "version" && literal(pattern) {
			q.Cohort[d] = pattern
		}
	}
	if a := k.Against(); s.release.side == compareSide {
		q.Cohort[a.Word()] = a.Name
	}
	for i, v := range s.cohort {
		q.Cohort[k.group.SliceBy[i]] = v
	}
	return q
}

// literal tells whether a pattern matches nothing but itself.
func literal(pattern string) bool { return !strings.ContainsAny(pattern, `*?\`) }
