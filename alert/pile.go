package alert

import "container/heap"

// pile is a heap of groups, the first one on top, each of which knows its place: what changes is put right without a search.
type pile struct {
	groups []*groupState
	before func(a, b *groupState) bool
	place  func(g *groupState) *int // -1 outside the pile
}

func (p *pile) Len() int           { return len(p.groups) }
func (p *pile) Less(i, j int) bool { return p.before(p.groups[i], p.groups[j]) }
func (p *pile) Swap(i, j int) {
	p.groups[i], p.groups[j] = p.groups[j], p.groups[i]
	*p.place(p.groups[i]), *p.place(p.groups[j]) = i, j
}

func (p *pile) Push(x any) {
	g := x.(*groupState)
	*p.place(g) = len(p.groups)
	p.groups = append(p.groups, g)
}

func (p *pile) Pop() any {
	g := p.groups[len(p.groups)-1]
	p.groups[len(p.groups)-1] = nil
	p.groups = p.groups[:len(p.groups)-1]
	*p.place(g) = -1
	return g
}

// put adds a group, or puts it in order again.
func (p *pile) put(g *groupState) {
	if i := *p.place(g); i >= 0 {
		heap.Fix(p, i)
		return
	}
	heap.Push(p, g)
}

// take removes a group, if it is there.
func (p *pile) take(g *groupState) {
	if i := *p.place(g); i >= 0 {
		heap.Remove(p, i)
	}
}

// top is the first group, nil for none.
func (p *pile) top() *groupState {
	if len(p.groups) == 0 {
		return nil
	}
	return p.groups[0]
}
