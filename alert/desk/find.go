package desk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNotFound is answered for an id that nothing has.
var ErrNotFound = errors.New("not found")

// fewest is how much of an id must be given, the step left out.
const fewest = 4

// find returns the one id that is, or begins with, what was given. The names of rollbacks end in "-" and a step; where that is
// given it must be the same.
func (b *Board) find(what, given string, list func(p *part, each func(id string))) (string, error) {
	head, step := given, ""
	if i := strings.LastIndexByte(given, '-'); i >= 0 {
		head, step = given[:i], given[i:]
	}
	exact := false
	var found []string
	b.each(func(p *part) {
		list(p, func(id string) {
			switch {
			case id == given:
				exact = true
			case strings.HasPrefix(id, head) && strings.HasSuffix(id, step):
				found = append(found, id)
			}
		})
	})
	switch {
	case exact:
		return given, nil
	case len(head) < fewest:
		return "", &InvalidError{fmt.Sprintf("%q is too short for the beginning of an id", given), fmt.Sprintf("give %d characters or more", fewest)}
	case len(found) == 0:
		return "", fmt.Errorf("%s %s: %w", what, given, ErrNotFound)
	case len(found) > 1:
		slices.Sort(found)
		return "", &InvalidError{fmt.Sprintf("%d %ss begin with %s", len(found), what, given), "give more of it: " + strings.Join(found[:min(len(found), 3)], ", ")}
	}
	return found[0], nil
}
