package strictyaml

import "strings"

// Nearest is the candidate that word was most likely meant to be, or "" where none is near.
func Nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	best, distance := "", 1+max(1, len(word)/3)
	normal := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "_", " ", "_").Replace(s)) }
	for _, c := range candidates {
		if w := normal(word); len(w) >= 4 && strings.HasPrefix(c, w) && distance > 1 {
			best, distance = c, 1
		}
		if d := Edits(normal(word), normal(c)); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// Edits is the number of characters to insert, drop, replace or swap with their neighbour to make b of a.
func Edits(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := range s {
		row[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}

// List joins words as prose does: "a, b or c".
func List(words []string, last string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "`" + w + "`"
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " " + last + " " + quoted[len(quoted)-1]
}
