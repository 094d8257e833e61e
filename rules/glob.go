package rules

import (
	"maps"
	"slices"
)

// Glob is true where the pattern matches the whole of s: * stands for any run of characters, also none and also slashes,
// ? for one character, \ takes the next character as it is. There are no other special characters.
func Glob(pattern, s string) bool {
	p, t := []rune(pattern), []rune(s)
	i, j := 0, 0
	star, mark := -1, 0 // the last * and how much of t it has taken
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
			continue
		case i < len(p) && p[i] == '?':
			i++
			j++
			continue
		case i < len(p):
			literal := i
			if p[i] == '\\' && i+1 < len(p) {
				literal++
			}
			if p[literal] == t[j] {
				i = literal + 1
				j++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// Matches is true where every glob of the group's Match matches; value gives that of a dimension, "" where a series has none.
func (g *Group) Matches(value func(dimension string) string) bool {
	for dimension, pattern := range g.Match {
		if !Glob(pattern, value(dimension)) {
			return false
		}
	}
	return true
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
