// Package trouble keeps what holds the parts of a stage up, for whoever asks how it is. What is over is not kept.
package trouble

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// shown is how many parts in trouble are told of one by one.
const shown = 5

// List is what is in trouble now. The zero value is an empty list. It is for concurrent use.
type List struct {
	mu sync.Mutex
	of map[place]string
}

type place struct{ part, doing string }

// Note says how a part fares with something it does: err is why it fails, nil that it works.
func (l *List) Note(part, doing string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		delete(l.of, place{part, doing})
		return
	}
	if l.of == nil {
		l.of = make(map[place]string)
	}
	l.of[place{part, doing}] = fmt.Sprintf("%s: cannot %s, trying on: %v", part, doing, err)
}

// Forget takes a part out: it has ended.
func (l *List) Forget(part string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.of, func(at place, _ string) bool { return at.part == part })
}

// Says is a line for each trouble, sorted; of many the last counts the rest. It is empty when there is none.
func (l *List) Says() []string {
	l.mu.Lock()
	lines := slices.Sorted(maps.Values(l.of))
	l.mu.Unlock()
	if n := len(lines); n > shown {
		lines = append(lines[:shown], fmt.Sprintf("and %d more", n-shown))
	}
	return lines
}
