package consumer

// Labels are held once in an index, however many spans have them, and for as long as one of its generations has. They may take a part of
// its memory, no more: they take twenty times what a span does, so where somebody makes up a version or a tenant with each call, the
// spans of all others would be forgotten for the sake of labels that no other call has. When that part is full, those that one trace
// alone has are folded, the oldest first, as detect folds a cell that is beyond its limits; and with them the scores and calls that
// are linked to them later. Only when there are none left to fold does what comes anew have to be. A rare cell of values that others
// have too, each of them, is not made up: as long as a second such part lasts, only its axes are folded.

const (
	wholeParts  = 12 // of 32 parts of the memory, for labels as they came; and as many for those that are not made up
	foldedParts = 1  // likewise, for those of each fold but the last, which leaves a handful
)

// value is a prompt, a version or the value of a dimension.
type value struct {
	part int
	text string
}

// holders is who has a value.
type holders struct {
	labels int32  // that are held
	owner  uint32 // hash of the one trace; 0 when several have it
}

// ref numbers labels, or what they are folded into, within a generation of the index. owner is the trace that they are of.
func (x *index) ref(g *generation, l *labels, owner uint64) uint32 {
	places := &l.places[x.which]
	at := &places[g.closed]
	if places[0].in == g.id { // closed since
		at = &places[0]
	}
	who := uint32(owner) | 1
	if at.in != g.id || g.table[at.ref-1].fold != l.fold { // folded since
		h := x.hold(l, who)
		if h != l {
			ref := x.ref(g, h, owner)
			if h.fold == l.fold { // its equal
				*at = place{g.id, ref}
			}
			return ref
		}
		g.table, g.owners = append(g.table, l), append(g.owners, who)
		if l.held[x.which]++; l.held[x.which] > 1 {
			x.count(l, who, 0)
		}
		*at = place{g.id, uint32(len(g.table))}
	}
	if o := &g.owners[at.ref-1]; *o != who && *o != 0 {
		*o = 0
		x.count(l, who, 0)
	}
	return at.ref
}

// hold returns the labels that are held in place of l: itself, its equal, or what it is folded into.
func (x *index) hold(l *labels, who uint32) *labels {
	if h := x.held[l.text]; h != nil {
		return h
	}
	if x.ease(l.size()) {
		return x.add(l, who)
	}
	return x.folding(l, who)
}

func (x *index) add(l *labels, who uint32) *labels {
	x.held[l.text] = l
	x.count(l, who, 1)
	x.bytes[min(l.fold, 1)] += l.size()
	return l
}

// count is when a trace has the values of labels: with labels more or less, or with the same ones as another.
func (x *index) count(l *labels, who uint32, more int32) {
	for i := range l.parts() {
		v := value{i, string(l.part(i))}
		h, known := x.values[v]
		if !known {
			h.owner = who
		} else if h.owner != who && more >= 0 {
			h.owner = 0
		}
		if h.labels += more; h.labels > 0 {
			x.values[v] = h
		} else {
			delete(x.values, v)
		}
	}
}

// madeUp tells whether labels of one trace have a value that no other trace has.
func (x *index) madeUp(l *labels, who uint32) bool {
	for i := range l.parts() {
		if v := l.part(i); len(v) > 0 {
			if h, known := x.values[value{i, string(v)}]; !known || h.owner == who {
				return true
			}
		}
	}
	return false
}

// release is when a generation has the labels no more.
func (x *index) release(l *labels) {
	if l.held[x.which]--; l.held[x.which] == 0 {
		delete(x.held, l.text)
		x.count(l, 0, -1)
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
			if g.owners[g.eased] == 0 || l.held[x.which] > 1 || l.fold > 0 {
				continue
			}
			h := x.folding(l, g.owners[g.eased])
			if h == l {
				continue
			}
			g.table[g.eased] = h
			h.held[x.which]++
			x.release(l)
		}
	}
	return room()
}

// folding returns what labels of a trace are folded into; themselves where only axes may be folded, and they have none.
func (x *index) folding(l *labels, who uint32) *labels {
	common := !x.madeUp(l, who) && x.bytes[0]+x.bytes[1]+l.size() <= 2*x.max/32*wholeParts
	if x.key = l.appendFolded(x.key[:0], 1); common && string(x.key) == l.text {
		if x.held[l.text] == nil {
			x.add(l, who)
		}
		return l
	}
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
		if last || common || x.bytes[1]+l.size() <= x.max/32*foldedParts*fold {
			h := newLabels(string(x.key), len(l.Dimensions))
			h.fold = fold
			return x.add(h, who)
		}
	}
}
