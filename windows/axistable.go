package windows

import "encoding/binary"

// How many axes are told apart. A template hash may be another one with each call, where somebody hashes the wrong text.
const (
	maxAxes       = 1 << 14 // in the store
	maxPromptAxes = 256     // that the same prompt has brought
	maxPaneAxes   = 64      // in a pane of a cell
	maxAxesKey    = 4096    // bytes
)

// axisTable numbers the axes that calls of open panes have. Numbers are forgotten when no open pane can have them any more.
type axisTable struct {
	wanted  bool // by a view
	ids     map[string]uint16
	terms   []axisTerm // by number; noAxes and otherAxes first
	free    []uint16
	brought map[string]int // by prompt
	swept   int64          // s.sealed when it was last swept
}

const (
	noAxes    = 0 // in a row: not a call, late, or of before a view wanted them
	otherAxes = 1 // beyond a limit
	firstAxes = 2
	axesShift = 48 // in a row's header
)

type axisTerm struct {
	Axes
	key    string
	prompt string // that brought them
	last   int64  // event time of the newest, Unix ns
	used   bool
}

func newAxisTable() axisTable {
	other := axisTerm{Axes: Axes{Other, Other, Other, Other}}
	return axisTable{ids: make(map[string]uint16), brought: make(map[string]int), terms: []axisTerm{noAxes: {}, otherAxes: other}}
}

// axesOf numbers the axes of the batch's i-th sample, a call in an open pane of c, as it goes into the header of a row.
func (s *Store) axesOf(b *Batch, i int, c *cell) uint64 {
	ref := b.Axis[i]
	id := s.fold.axes[ref]
	if id == noAxes {
		// That there was no room is not remembered: there may be for another prompt.
		if id = s.axes.number(b.Axes[ref], c.prompt.name, s.sealed); id != otherAxes {
			s.fold.axes[ref] = id
		}
	}
	term := &s.axes.terms[id]
	term.last = max(term.last, b.Time[i])
	return uint64(id) << axesShift
}

func (t *axisTable) number(key []byte, prompt string, sealed int64) uint16 {
	if id, ok := t.ids[string(key)]; ok {
		return id
	}
	if t.full(prompt) && t.swept != sealed {
		t.sweep(sealed)
	}
	if t.full(prompt) {
		return otherAxes
	}
	axes, ok := parseAxes(key)
	if !ok {
		return otherAxes
	}
	id := uint16(len(t.terms))
	if n := len(t.free) - 1; n >= 0 {
		id, t.free = t.free[n], t.free[:n]
	} else {
		t.terms = append(t.terms, axisTerm{})
	}
	t.terms[id] = axisTerm{Axes: axes, key: string(key), prompt: prompt, used: true}
	t.ids[t.terms[id].key] = id
	t.brought[prompt]++
	return id
}

func (t *axisTable) full(prompt string) bool {
	return len(t.ids) >= maxAxes || t.brought[prompt] >= maxPromptAxes
}

func parseAxes(key []byte) (a Axes, ok bool) {
	if len(key) > maxAxesKey {
		return a, false
	}
	parts, err := SplitKey(nil, key)
	if err != nil || len(parts) > 4 {
		return a, false
	}
	for i, part := range parts {
		*[]*string{&a.TemplateHash, &a.Model, &a.Variant, &a.Environment}[i] = part
	}
	return a, true
}

// sweep forgets what neither the minute sealed last can have nor an open one.
func (t *axisTable) sweep(sealed int64) {
	t.swept = sealed
	for id := firstAxes; id < len(t.terms); id++ {
		term := &t.terms[id]
		if !term.used || term.last >= (sealed-1)*minuteNanos {
			continue
		}
		delete(t.ids, term.key)
		if t.brought[term.prompt]--; t.brought[term.prompt] == 0 {
			delete(t.brought, term.prompt)
		}
		*term = axisTerm{}
	}
	t.findFree()
}

// findFree lists the numbers that are not in use, the least last.
func (t *axisTable) findFree() {
	t.free = t.free[:0]
	for id := len(t.terms) - 1; id >= firstAxes; id-- {
		if !t.terms[id].used {
			t.free = append(t.free, uint16(id))
		}
	}
}

func (t *axisTable) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(t.terms)-firstAxes))
	for i := range t.terms[firstAxes:] {
		term := &t.terms[firstAxes+i]
		dst = binary.AppendUvarint(dst, oneIf(term.used))
		if term.used {
			dst = AppendKey(dst, term.key, term.prompt)
			dst = binary.AppendVarint(dst, term.last)
		}
	}
	return dst
}

func (t *axisTable) read(r *reader) (ok bool) {
	n := r.count()
	if n > maxAxes {
		return false
	}
	for range n {
		term := axisTerm{used: r.uvarint() == 1}
		if term.used {
			term.key, term.prompt, term.last = string(r.bytes()), string(r.bytes()), r.varint()
			if term.Axes, ok = parseAxes([]byte(term.key)); !ok {
				return false
			}
			if _, twice := t.ids[term.key]; twice {
				return false
			}
			t.ids[term.key] = uint16(len(t.terms))
			t.brought[term.prompt]++
		}
		t.terms = append(t.terms, term)
	}
	t.findFree()
	return !r.err
}
