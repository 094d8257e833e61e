package consumer

// Labels are held once in an index, however many spans have them, and for as long as one of its generations has. They may take a part of
// its memory, no more: they take twenty times what a span does, so where somebody makes up a version or a tenant with each call, the
// spans of all others would be forgotten for the sake of labels that no other call has. When that part is full, those that one trace
// alone has are folded, the oldest first, as detect folds a cell that is beyond its limits; and with them the scores and calls that
// are linked to them later. A prompt that has a few labels, not one and not very many, keeps them: it is used, and nobody makes it up.
// Only when there are none left to fold does what comes anew have to be.

const (
	wholeParts  = 12  // of 32 parts of the memory, for labels as they came
	foldedParts = 1   // likewise, for those of each fold but the last, which leaves a handful
	usual       = 256 // labels of a prompt
)

// ref numbers labels, or what they are folded into, within a generation of the index. owner is the trace that they are of.
func (x *index) ref(g *generation, l *labels, owner uint64) uint32 {
	places := &l.places[x.which]
	at := &places[g.closed]
	if places[0].in == g.id { // closed since
		at = &places[0]
	}
	who := uint32(owner) | 1
	if at.in != g.id || g.table[at.ref-1].fold != l.fold { // folded since
		h := x.hold(l)
		if h != l {
			ref := x.ref(g, h, owner)
			if h.fold == l.fold { // its equal
				*at = place{g.id, ref}
			}
			return ref
		}
		g.table, g.owners = append(g.table, l), append(g.owners, who)
		l.held[x.which]++
		*at = place{g.id, uint32(len(g.table))}
	}
	if o := &g.owners[at.ref-1]; *o != who {
		*o = 0
	}
	return at.ref
}

// hold returns the labels that are held in place of l: itself, its equal, or what it is folded into.
func (x *index) hold(l *labels) *labels {
	if h := x.held[l.text]; h != nil {
		return h
	}
	if x.ease(l.size()) {
		return x.add(l)
	}
	return x.folding(l)
}

func (x *index) add(l *labels) *labels {
	x.held[l.text] = l
	x.prompts[string(l.Prompt)]++
	x.bytes[min(l.fold, 1)] += l.size()
	return l
}

// release is when a generation has the labels no more.
func (x *index) release(l *labels) {
	if l.held[x.which]--; l.held[x.which] == 0 {
		delete(x.held, l.text)
		if x.prompts[string(l.Prompt)]--; x.prompts[string(l.Prompt)] == 0 {
			delete(x.prompts, string(l.Prompt))
		}
		x.bytes[min(l.fold, 1)] -= l.size()
	}
}

// ease makes room for labels; false when there is none.
func (x *index) ease(size int) bool {
	room := func() bool { return x.bytes[0]+size <= x.max/32*wholeParts }
	for i := 0; i <= len(x.past) && !room(); i++ {
		g := x.now
		if i < len(x.past) {
			g = x.past[i]
		}
		for ; g.eased < len(g.table) && !room(); g.eased++ {
			l := g.table[g.eased]
			if n := x.prompts[string(l.Prompt)]; g.owners[g.eased] == 0 || l.held[x.which] > 1 || l.fold > 0 || n > 1 && n <= usual {
				continue
			}
			h := x.folding(l)
			g.table[g.eased] = h
			h.held[x.which]++
			x.release(l)
		}
	}
	return room()
}

// folding returns what labels are folded into.
func (x *index) folding(l *labels) *labels {
	x.folded++
	for fold := 1; ; fold++ {
		x.key = l.appendFolded(x.key[:0], fold)
		last := fold == len(folds)-1
		if !last && string(x.key) == l.text {
			continue
		}
		if h := x.held[string(x.key)]; h != nil {
			return h
		}
		if last || x.bytes[1]+l.size() <= x.max/32*foldedParts*fold {
			h := newLabels(string(x.key), len(l.Dimensions))
			h.fold = fold
			return x.add(h)
		}
	}
}
